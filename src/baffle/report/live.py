"""Progress while a run goes on: one line in place on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from baffle.drivers.local.metrics import Row
from baffle.report.units import (
    UNKNOWN,
    bytes_text,
    clock_text,
    count_text,
    is_known,
    number_text,
    percent_text,
)

PLAIN_LINES = 10
REFRESH_PER_SECOND = 8
RUNNING = ("test_accuracy", "bytes_up", "bytes_down", "probes", "seconds")

# Title, width, and rank: where the terminal is too narrow, the highest ranks are left out.
COLUMNS = (
    ("round", 0, 0),
    ("loss", 8, 0),
    ("accuracy", 8, 0),
    ("cosine", 6, 3),
    ("SNR", 6, 4),
    ("up", 7, 2),
    ("down", 7, 2),
    ("probes/s", 8, 3),
    ("left", 8, 1),
)
EPSILON = ("ε", 6, 0)  # of a run with a privacy budget


class Progress:
    """Shows how a run goes on.

    Args:
        console: where to; on a terminal one line is redrawn in place, elsewhere about ten lines
            are written over the whole run.
        rounds: of the whole run, the ones before a resume included.
        clock: seconds from any start; the time left comes from it.
        private: whether the run spends a privacy budget, which is shown then.

    Example:
        >>> with Progress(Console(), rounds=400) as progress:  # doctest: +SKIP
        ...     session.run(on_round=progress.update)
    """

    def __init__(
        self,
        console: Console,
        rounds: int,
        clock: Callable[[], float] = time.monotonic,
        private: bool = False,
    ) -> None:
        self.console, self.rounds, self.clock = console, rounds, clock
        self._columns = (*COLUMNS[:3], EPSILON, *COLUMNS[3:]) if private else COLUMNS
        self._known: Row = {}
        self._row: Row | None = None
        self._shown = 0
        self._updates = 0
        self._started = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._started = self.clock()
        self._print(self.header())
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(console=self.console, refresh_per_second=REFRESH_PER_SECOND)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._row is not None and self._row["round"] != self._shown:
            self._print(self.line())

    def update(self, row: Row) -> None:
        """Show a round.

        Args:
            row: as `Session.run` gives it; missing and unknown figures are shown as a dash.
        """
        self._row = row
        self._updates += 1
        self._known |= {name: row[name] for name in RUNNING if is_known(row.get(name))}
        if self._live is not None:
            self._live.update(self.line())
        elif self._is_due(row["round"]):
            self._shown = row["round"]
            self._print(self.line())

    def _is_due(self, round: int) -> bool:
        """Return whether a plain line is due: the first round, every tenth of all, the last."""
        tenths = [done * PLAIN_LINES // self.rounds for done in (self._shown, round)]
        return self._updates == 1 or tenths[0] != tenths[1]

    def header(self) -> Text:
        """Return the titles over the figures."""
        titles = {title: title for title, _, _ in self._columns}
        return Text(self._joined(titles), style="dim", no_wrap=True, overflow="crop")

    def line(self) -> Text:
        """Return the newest round's figures, each right-aligned in a constant width."""
        assert self._row is not None
        return Text(self._joined(self._figures(self._row)), no_wrap=True, overflow="crop")

    def _joined(self, texts: dict[str, str]) -> str:
        widths = {title: width for title, width, _ in self._columns}
        widths["round"] = max(5, 2 * len(str(self.rounds)) + 1)
        ranks = {title: rank for title, _, rank in self._columns}
        kept = list(widths)
        while sum(widths[t] + 1 for t in kept) - 1 > self.console.width and len(kept) > 1:
            kept.remove(max(reversed(kept), key=ranks.__getitem__))
        return " ".join(texts[title].rjust(widths[title]) for title in kept)

    def _figures(self, row: Row) -> dict[str, str]:
        known = self._known
        return {
            "round": f"{row['round']}/{self.rounds}",
            "loss": loss_text(row.get("loss")),
            "accuracy": percent_text(known.get("test_accuracy")),
            "ε": fixed_text(row.get("epsilon"), 3),
            "cosine": fixed_text(row.get("expected_cosine"), 3),
            "SNR": _ratio(row.get("signal_to_noise")),
            "up": bytes_text(known.get("bytes_up")),
            "down": bytes_text(known.get("bytes_down")),
            "probes/s": count_text(self._probe_rate()),
            "left": clock_text(self._left(row["round"])),
        }

    def _probe_rate(self) -> float | None:
        """Return probes a second over the whole run."""
        seconds = self._known.get("seconds")
        return self._known["probes"] / seconds if seconds and "probes" in self._known else None

    def _left(self, round: int) -> float:
        """Return the seconds left if the rounds to come take as long as those that were seen."""
        return (self.clock() - self._started) / self._updates * (self.rounds - round)

    def _print(self, text: Text) -> None:
        self.console.print(text, no_wrap=True, overflow="crop", highlight=False)


def loss_text(loss: float | None) -> str:
    """Return a loss to four decimals, one far from zero to two digits."""
    return fixed_text(loss, 4) if loss is None or -99 < loss < 999 else number_text(loss, 2)


def _ratio(value: float | None) -> str:
    return fixed_text(value, 2) if value is None or value < 99 else count_text(value)


def fixed_text(value: float | None, decimals: int) -> str:
    """Return a number to so many decimals, a dash for the unknown."""
    return f"{value:.{decimals}f}" if is_known(value) else UNKNOWN
