"""The best chunk and number of threads of a side, by a short search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from baffle.bench.sides.work import TURNS, Setting, Side, Work
from baffle.bench.timing import awake, seconds_of

WORSE = 0.85  # of the best rate: below it a candidate is a miss
MISSES = 3  # in a row, after which further chunks are not tried
LONGEST = 2.0  # seconds of one chunk, beyond which a larger one gains nothing
CLOSE, FINALISTS = 0.7, 2  # of the best rate; settings that are timed at length
LONG_CALL = 2.0  # seconds for all rows, above which one setting is timed at length
LONG = 0.3  # seconds of a call that needs no warm-up


@dataclass
class Found:
    """The best setting so far and its rows a second."""

    setting: Setting
    rate: float = 0.0


class Search:
    """Tries settings of a side.

    Args:
        side: whose.
        rows: of the whole case; candidates are timed on fewer where these take long.
        device: to wait for.
        seconds: of timing a candidate.
    """

    def __init__(self, side: Side, rows: int, device: str, seconds: float) -> None:
        self.side, self.rows = side, rows
        self.device, self.seconds = device, seconds
        self.found = Found(Setting(0, 0))
        self.tried: list[Found] = []

    def best(self, threads: Iterable[int]) -> list[Found]:
        """Return settings over chunks and these numbers of threads, the best one first.

        A short search may be mistaken by some percent, so a close second comes with the best: what
        is timed at length then decides. Where a call takes long there is one only.

        Chunks ascend at the largest number of threads until they get worse; other numbers begin at
        the best chunk and go on only where they come near.
        """
        first, *others = sorted(threads, reverse=True)
        routes = self.side.routes()
        for route, chunks in routes.items():
            self.along(route, chunks, first)
        for count in others:
            best = self.found.setting
            near = sorted(routes[best.route], key=lambda chunk: abs(chunk - best.chunk))
            self.along(best.route, near, count, hopeless=CLOSE)
        close = [f for f in self.tried if f.rate >= CLOSE * self.found.rate]
        many = LONG_CALL * self.found.rate > self.rows
        return sorted(close, key=lambda f: -f.rate)[: FINALISTS if many else 1]

    def along(self, route: str, chunks: Iterable[int], threads: int, hopeless: float = 0.0) -> None:
        """Try a route's chunks in this order until some in a row are worse, or one is hopeless."""
        left, best = MISSES, 0.0
        for chunk in chunks:
            if self._too_long(route, chunk):
                continue
            setting = Setting(chunk, threads, route)
            rate = self.rate(setting)
            self.tried.append(Found(setting, rate))
            best = max(best, rate)
            left = MISSES if rate >= WORSE * best else left - 1
            if rate > self.found.rate:
                self.found = self.tried[-1]
            if not left or rate < hopeless * self.found.rate:
                return

    def _too_long(self, route: str, chunk: int) -> bool:
        unit = 1 if route == TURNS else self.side.unit
        return chunk * unit > LONGEST * self.found.rate > 0

    def rate(self, setting: Setting) -> float:
        """Return rows a second: the best of several calls, or of one that takes long."""
        with awake(setting.threads):
            work, took = self._work(setting)
            best, spent = took, 0.0
            while took < LONG and spent < self.seconds:
                took = seconds_of(work, 1, self.device)
                best, spent = min(best, took), spent + took
            return work.rows / best

    def _work(self, setting: Setting) -> tuple[Work, float]:
        """Return work long enough to tell candidates apart, and its first call's seconds."""
        most = int(self.found.rate * LONG)
        work = self.side.work(setting, max(1, min(self.rows, most)))
        took = seconds_of(work, 1, self.device)
        if took > LONG / 2 or work.rows == self.rows:
            return work, took
        most = int(work.rows / took * LONG)
        work = self.side.work(setting, min(self.rows, most))
        return work, seconds_of(work, 1, self.device)
