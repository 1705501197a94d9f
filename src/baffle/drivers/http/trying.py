"""Trying again: with pauses that grow, as long as there is hope, and no longer."""

from __future__ import annotations

import http.client
import logging
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from baffle.drivers.http.line import Line
from baffle.errors import DecodeError, LinkLost, Refused

MENDED = 3  # times that a request is made anew at once: whoever refuses it for ever is waited for
T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manners:
    """How a device waits, and how much it takes.

    Args:
        patience: seconds after which a gateway that cannot be reached is given up.
        first, most: of the pauses between attempts, seconds; each is twice the one before.
        response: seconds for a response, beside those that the gateway is asked to wait.
        ask: bytes of an ask that are taken: a state as a whole is the longest.
    """

    patience: float = 600.0
    first: float = 0.2
    most: float = 30.0
    response: float = 30.0
    ask: int = 1 << 28


class Again(Exception):
    """A refusal that passes.

    Args:
        text: why.
        seconds: to wait at least.
        mended: a request made anew may go well at once.
    """

    def __init__(self, text: str, seconds: float, mended: bool) -> None:
        super().__init__(text)
        self.seconds, self.mended = seconds, mended


@dataclass(frozen=True)
class Trying:
    """How a device tries.

    Args:
        manners: how long.
        clock, sleep: seconds.
        chance: 0 to 1, evenly, for pauses that are not the same on all devices.
    """

    manners: Manners
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def call(self, attempt: Callable[[], T], line: Line) -> T:
        """Return what an attempt returns, the first that does.

        Args:
            attempt: to speak over a line; each one makes its request anew.
            line: closed where it breaks.

        Raises:
            Refused: from an attempt, or "certificate".
            LinkLost: there was none within the patience.
        """
        ends, pauses, mended = self.clock() + self.manners.patience, self._pauses(), 0
        while True:
            reused = line.used
            try:
                return attempt()
            except Again as again:
                problem, least = str(again), again.seconds
                mended += again.mended
                at_once = again.mended and mended <= MENDED
            except ssl.SSLCertVerificationError as no:
                line.close()
                raise Refused("certificate", f"the gateway's certificate: {no}") from None
            except (OSError, http.client.HTTPException, DecodeError) as no:
                line.close()
                problem, least = repr(no)[:200], 0.0
                at_once = reused  # its other end may have closed it meanwhile: that says nothing
            if not at_once:
                self._pause(max(next(pauses), least), ends, problem)

    def _pause(self, seconds: float, ends: float, problem: str) -> None:
        if self.clock() + seconds >= ends:
            raise LinkLost(f"the gateway could not be reached: {problem}")
        logger.info("trying again in %.1f s: %s", seconds, problem)
        self.sleep(seconds)

    def _pauses(self) -> Iterator[float]:
        """Yield pauses: each is twice the one before, less up to half by chance."""
        pause = self.manners.first
        while True:
            yield pause * (1 - self.chance() / 2)
            pause = min(pause * 2, self.manners.most)
