"""A run as it looks from outside its process: its files, read as they grow."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from baffle.config import Settings
from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError, LedgerError
from baffle.report.fleet import MAX_WORD, Fleet, read_fleet, word
from baffle.report.runs import read_settings
from baffle.report.tail import Tail

RECENT = 60  # rounds of which the curve is drawn
PACE = 20  # rounds whose mean length tells the time left
QUIET_SECONDS, QUIET_ROUNDS = 30.0, 10.0
MAX_REASONS = 12
LARGEST = 1e300  # no figure is; an integer beyond has no float
WAITING, RUNNING, QUIET, ENDED = "waiting", "running", "quiet", "ended"


class Outside:
    """What a run folder shows; `look` brings it up to date.

    Args:
        folder: run folder; it may not be there yet, or be resumed meanwhile.

    Example:
        >>> run = Outside(Path("runs/not yet"))
        >>> run.look(now=0.0)
        >>> run.status
        'waiting'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings | None = None
        self.fleet: Fleet | None = None
        self.now = 0.0
        self._tail = Tail(folder)
        self._forget()

    def _forget(self) -> None:
        self.row: Row = {}
        self.known: Row = {}  # the last known value of each figure
        self.sums = dict.fromkeys(("asked", "reports", "late", "missing", "abandoned"), 0)
        self.losses: deque[float] = deque(maxlen=RECENT)
        self.lengths: deque[float] = deque(maxlen=PACE)
        self.test_round: int | None = None

    def look(self, now: float) -> None:
        """Read what is new.

        Args:
            now: seconds since 1970.
        """
        self.now = now
        if self.settings is None:
            self.settings = _settings(self.folder)
        anew, rows = self._tail.read()
        if anew:
            self._forget()
        self._take(rows)
        self.fleet = read_fleet(self.folder)

    def _take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.row = row
            self.known |= {name: v for name, v in row.items() if _is_figure(v)}
            missing = row.get("missing", row.get("asked", 0) - row.get("reports", 0))
            counts = row | {"missing": missing, "abandoned": bool(row.get("abandoned"))}
            for name in self.sums:
                self.sums[name] += _count(counts.get(name))
            if _is_figure(row.get("loss")):
                self.losses.append(row["loss"])
            if _is_figure(row.get("round_seconds")):
                self.lengths.append(row["round_seconds"])
            if _is_figure(row.get("test_accuracy")):
                self.test_round = row["round"]

    @property
    def round(self) -> int:
        """Return the rounds done."""
        return int(self.row.get("round", 0))

    @property
    def rounds(self) -> int | None:
        """Return the rounds of the whole run, None while nothing says so."""
        return None if self.settings is None else self.settings.rounds

    @property
    def status(self) -> str:
        """Return WAITING before the first round, ENDED after the last; QUIET without news."""
        if not self.row:
            return WAITING
        if self.rounds is not None and self.round >= self.rounds:
            return ENDED
        pace = self.round_seconds or 0.0
        return QUIET if self.age > max(QUIET_SECONDS, QUIET_ROUNDS * pace) else RUNNING

    @property
    def age(self) -> float:
        """Return the seconds since the last row was written."""
        changed = self._tail.changed
        return math.nan if changed is None else max(0.0, self.now - changed)

    @property
    def round_seconds(self) -> float | None:
        """Return the mean length of the last rounds, evaluations not included."""
        return fmean(self.lengths) if self.lengths else None

    @property
    def left(self) -> float | None:
        """Return the seconds left if the rounds to come take as long as the last ones."""
        if self.rounds is None or self.round_seconds is None:
            return None
        return self.round_seconds * max(0, self.rounds - self.round)

    def reasons(self, name: str) -> dict[str, int]:
        """Return counts by reason, the largest first: `refused` or `faults`."""
        found = self.row.get(name)
        if not isinstance(found, dict):
            return {}
        counts = {word(str(reason))[:MAX_WORD]: _count(n) for reason, n in found.items()}
        largest = sorted(counts.items(), key=lambda item: -item[1])[:MAX_REASONS]
        return {reason: count for reason, count in largest if count}

    def as_json(self) -> dict[str, Any]:
        """Return what the screen shows, for programs; None for what is not known."""
        names = (
            *("loss", "test_loss", "test_accuracy", "client_loss", "client_accuracy"),
            *("expected_cosine", "signal_to_noise", "bytes_up", "bytes_down", "catch_up_bytes"),
            "seconds",
        )
        newest = {name: self.row.get(name) for name in ("asked", "reports", "late", "digest")}
        return {
            "run_dir": str(self.folder),
            "status": self.status,
            "round": self.round,
            "rounds": self.rounds,
            **{name: self.known.get(name) for name in names},
            "test_round": self.test_round,
            "newest": newest | {"missing": self.row.get("missing")},
            "sums": self.sums,
            "refused": self.reasons("refused"),
            "faults": self.reasons("faults"),
            "round_seconds": self.round_seconds,
            "left_seconds": self.left,
            "age_seconds": self.age,
            "fleet": None if self.fleet is None else vars(self.fleet),
        }


def _settings(folder: Path) -> Settings | None:
    """Return a run's settings, None while they are not there or being written."""
    try:
        return read_settings(folder)
    except (LedgerError, ConfigError):
        return None


def _is_figure(value: Any) -> bool:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and abs(value) < LARGEST  # nor nan


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int) and value > 0 else 0
