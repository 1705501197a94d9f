"""A device's loop: ask for work, answer it, wait; over any network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from baffle.drivers.device.conditions import Condition
from baffle.errors import LinkLost, Refused

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 30.0
OVER = "done"  # how a gateway calls a run that is over


class Link(Protocol):
    """A device's way to its gateway. It retries by itself; what it raises is final for now."""

    def ask(self, wait: float) -> Sequence[bytes] | None:
        """Return an ask's parts, None if there was none for `wait` seconds."""
        ...

    def answer(self, data: bytes) -> bool:
        """Give an answer; returns whether it was still wanted."""
        ...


@dataclass
class Loop:
    """One device at work.

    Args:
        link: to the gateway.
        handle: an ask's parts to an answer's bytes.
        done: whether the client holds the run's last state.
        until_done: end then; else wait for the next run.
        conditions: what must hold before it asks.
        wait: seconds of one call that finds nothing.
        sleep: seconds.
        stop: asked before each call.
    """

    link: Link
    handle: Callable[[Sequence[bytes]], bytes]
    done: Callable[[], bool]
    until_done: bool = True
    conditions: Sequence[Condition] = ()
    wait: float = 20.0
    sleep: Callable[[float], None] = lambda seconds: None
    stop: Callable[[], bool] = lambda: False
    _said: str = field(default="")

    def run(self) -> bool:
        """Work until the run is over or somebody says stop; returns whether it is over.

        Raises:
            Refused: the gateway wants nothing of this device any more.
        """
        while not self.stop():
            if reason := self._hindered():
                self._pause(f"waiting: {reason}")
                continue
            try:
                self._turn()
            except LinkLost as problem:
                self._pause(str(problem))
            except Refused as no:
                if no.reason != OVER:
                    raise
                if self.until_done:
                    return self.done()
                self._pause("the run is over: waiting for the next one")
            if self.until_done and self.done():
                return True
        return False

    def _pause(self, reason: str) -> None:
        self._say(reason)
        self.sleep(PAUSE_SECONDS)

    def _turn(self) -> None:
        parts = self.link.ask(self.wait)
        if parts is not None:
            self._said = ""
            self.link.answer(self.handle(parts))

    def _hindered(self) -> str:
        return next((reason for c in self.conditions if (reason := c.hinders())), "")

    def _say(self, text: str) -> None:
        """Log what keeps it waiting, once."""
        if text != self._said:
            logger.info("%s", text)
        self._said = text
