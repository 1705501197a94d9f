"""What a network carries: an ask down to one client, its answer up. Bytes only, one encoding each.

A plan and a report say what a round asks and what came of it. An ask wraps a plan with whatever its
receiver lacks to answer it (the genesis, rounds that it missed, or a whole state); an answer wraps
a report, or says what the client holds or what is wrong with it. Layouts: docs/protocol.md.
"""

from __future__ import annotations

from baffle.protocol.exchange.answer import (
    Answer,
    Evaluation,
    Holding,
    Holds,
    Masked,
    Reported,
    Trouble,
    client_tag,
    decode_answer,
    encode_answer,
)
from baffle.protocol.exchange.ask import (
    Ask,
    SnapshotHeader,
    TailRow,
    decode_ask,
    encode_ask,
)
from baffle.protocol.exchange.trouble import REASONS

__all__ = [
    "REASONS",
    "Answer",
    "Ask",
    "Evaluation",
    "Holding",
    "Holds",
    "Masked",
    "Reported",
    "SnapshotHeader",
    "TailRow",
    "Trouble",
    "client_tag",
    "decode_answer",
    "decode_ask",
    "encode_answer",
    "encode_ask",
]
