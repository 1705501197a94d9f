"""Protocol: messages, their bytes, and the two sides as state machines. No I/O, no clock."""

from __future__ import annotations

from baffle.protocol.advance import Rules
from baffle.protocol.client import Client
from baffle.protocol.codec import (
    decode_outcome,
    decode_plan,
    decode_report,
    encode_outcome,
    encode_plan,
    encode_report,
)
from baffle.protocol.genesis import Genesis
from baffle.protocol.messages import Outcome, Plan, Report
from baffle.protocol.policy import Last, Policy
from baffle.protocol.server import Closed, Server

__all__ = [
    "Client",
    "Closed",
    "Genesis",
    "Last",
    "Outcome",
    "Plan",
    "Policy",
    "Report",
    "Rules",
    "Server",
    "decode_outcome",
    "decode_plan",
    "decode_report",
    "encode_outcome",
    "encode_plan",
    "encode_report",
]
