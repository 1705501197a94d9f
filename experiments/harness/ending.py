"""A process that is asked to end removes what it made."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def end_cleanly() -> None:
    """Let SIGTERM unwind this process, so that its temporary folders go, with exit status 143."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
