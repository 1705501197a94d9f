"""Why a gateway says no, by name, and what a device does then.

A refusal's body is JSON: {"error": name, "text": a sentence}, and beside them a number of seconds
to wait, the gateway's epoch, or the highest counter that it has seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from baffle.errors import DecodeError, Refused

# Name to HTTP status, and whether the same may go well later.
REFUSALS: Mapping[str, tuple[int, bool]] = {
    "decode": (400, False),  # not the one encoding of anything
    "signature": (401, False),  # not signed by the device that it names
    "device": (401, False),  # of a device that nobody enrolled
    "epoch": (401, True),  # signed before the gateway started: sign anew
    "revoked": (403, False),  # its operator turned the device away
    "token": (403, False),  # unknown, over, or used by another device
    "path": (404, False),  # there is nothing else than the routes
    "method": (405, False),
    "slow": (408, True),  # the body did not come in time
    "counter": (409, True),  # a request that came before, or one older than it
    "gone": (409, False),  # an answer to an ask that is no longer open
    "done": (410, False),  # the run is over
    "length": (411, False),  # a body whose length is not said
    "size": (413, False),  # a body that is too large
    "busy": (429, True),  # too many requests
    "failed": (500, True),  # a fault of the gateway's own
    "full": (503, True),  # no room, or no disk, for now
    "stopping": (503, True),  # the gateway is going to end
}
MAX_REFUSAL = 2048
MAX_TEXT = 300
MAX_SECONDS = 3600.0


class No(Refused):
    """A refusal with what its receiver needs besides.

    Args:
        reason: a row of `REFUSALS`.
        text: a sentence.
        more: "seconds", "epoch" or "counter".
    """

    def __init__(self, reason: str, text: str, **more: Any) -> None:
        super().__init__(reason, text)
        self.more = more


@dataclass(frozen=True)
class Refusal:
    """A refusal as it came: name, sentence, and whether the same may go well later."""

    reason: str
    text: str
    again: bool
    seconds: float = 0.0
    more: Mapping[str, Any] = field(default_factory=dict)


def status_of(reason: str) -> int:
    """Return the HTTP status of a refusal, 400 for one of the protocol's below."""
    return REFUSALS.get(reason, (400, False))[0]


def encode_refusal(problem: Refused) -> bytes:
    """Return a refusal's body."""
    more = problem.more if isinstance(problem, No) else {}
    said = {"error": problem.reason, "text": str(problem)[:MAX_TEXT], **more}
    return json.dumps(said).encode()


def decode_refusal(status: int, body: bytes) -> Refusal:
    """Return what a response says that is no success.

    Something between device and gateway may answer in its place: then the status alone counts, and
    server errors, time-outs and "too many" are those that pass.

    Args:
        status: of the response.
        body: up to `MAX_REFUSAL` bytes of it.
    """
    try:
        found = _table(body)
        reason, text = str(found["error"]), str(found["text"])
        expected, again = REFUSALS[reason]
        if expected != status:
            raise DecodeError(f"{reason} with status {status}")
        seconds = _seconds(found.get("seconds", 0.0))
    except (DecodeError, KeyError, ValueError, TypeError, OverflowError):
        passing = status >= 500 or status in (408, 425, 429)
        return Refusal(f"http {status}", "an answer that is no gateway's", passing)
    return Refusal(reason, _printable(text), again, seconds, found)


def _seconds(said: Any) -> float:
    """Return how long to wait, within bounds whatever was said."""
    found = float(said)
    return min(max(found, 0.0), MAX_SECONDS) if math.isfinite(found) else MAX_SECONDS


def _table(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_REFUSAL:
        raise DecodeError(f"a refusal of {len(body)} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError("a refusal that is not JSON") from None
    if not isinstance(found, dict):
        raise DecodeError("a refusal that is no table")
    return found


def _printable(text: str) -> str:
    """Return a text for a log: nothing in it starts a line or moves a cursor."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_TEXT])
