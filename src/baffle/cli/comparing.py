"""A comparison on the screen: a bar and what is running on a terminal, a line a cell elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from baffle.drivers.compare.pool import Said
from baffle.drivers.compare.runner import Course
from baffle.report.units import clock_text, number_text, percent_text

BAR = 24
REFRESH_PER_SECOND = 4


class Screen:
    """Shows how a comparison goes on.

    Args:
        console: where to.
        folder: where results lie; said when it is interrupted.
        clock: seconds from any start; the time left comes from it.
    """

    def __init__(
        self, console: Console, folder: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console, self.folder, self.clock = console, folder, clock
        self._live: Live | None = None
        self._started, self._done_before = 0.0, 0

    def __enter__(self) -> Self:
        self._started = self.clock()
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(console=self.console, refresh_per_second=REFRESH_PER_SECOND)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.console.print(f"stopped; the same command goes on, from {self.folder}")

    def watch(self, course: Course, said: Said | None) -> None:
        """Show what was heard."""
        if said is None:
            self._done_before = course.done
            known = f", {course.done} of them done already" if course.done else ""
            self.console.print(f"{course.total} cells{known}; results in {self.folder}")
        elif said.ended:
            self.console.print(self._line(course, said), highlight=False, soft_wrap=True)
        if self._live is not None:
            self._live.update(self._state(course))

    def _line(self, course: Course, said: Said) -> str:
        line = None if said.line is None else {**said.cell.about, **said.line}
        outcome = f"failed: {said.error}" if line is None else told(said.cell.kind, line)
        left = clock_text(self._left(course))
        return f"{course.done:>3}/{course.total}  {said.cell.id:<32} {outcome:<28} left {left}"

    def _left(self, course: Course) -> float | None:
        """Return the seconds left if the cells to come take as long as those that were seen."""
        seen = course.done - self._done_before
        if not seen:
            return None
        return (self.clock() - self._started) / seen * (course.total - course.done)

    def _state(self, course: Course) -> Text:
        full = BAR * course.done // max(1, course.total)
        lines = [f"{'━' * full}{'─' * (BAR - full)} {course.done}/{course.total} cells"]
        lines += [f"  {name}  {_where(at)}" for name, at in course.running.items()]
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


def told(kind: str, line: Any) -> str:
    """Return a cell's result in a few words.

    Example:
        >>> told("trial", {"loss": 0.51234, "step_size": 0.04})
        'step 0.04, loss 0.512'
    """
    if kind == "run":
        last = line["curve"][-1] if line["curve"] else {}
        return f"accuracy {percent_text(last.get('test_accuracy'))}"
    if kind == "trial":
        loss = "diverged" if line["loss"] is None else f"loss {number_text(line['loss'])}"
        return f"step {number_text(line['step_size'])}, {loss}"
    if kind == "memory":
        return f"{line['peak'] / 1e6:.0f} MB at the most"
    return f"{line['costs'][-1]['seconds'] / len(line['costs']):.3f} s a round"


def _where(at: Any) -> str:
    return f"round {at['round']} of {at['rounds']}, loss {number_text(at['loss'])}" if at else ""
