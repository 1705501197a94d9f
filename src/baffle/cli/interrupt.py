"""Ctrl-C ends a run at a round's border, with everything stored; a second one ends it at once."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self


class Interrupt:
    """Asked by the round loop whether to stop.

    Example:
        >>> with Interrupt() as stop:
        ...     stop()
        False
    """

    def __init__(self) -> None:
        self.caught = False

    def __call__(self) -> bool:
        return self.caught

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.caught:
            raise KeyboardInterrupt
        self.caught = True
