"""The screen of `baffle watch`: one run, as a person wants to see it, in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from baffle.drivers.local.metrics import Row
from baffle.report.fleet import Fleet
from baffle.report.live import fixed_text, loss_text
from baffle.report.outside import ENDED, QUIET, RUNNING, WAITING, Outside
from baffle.report.units import (
    UNKNOWN,
    bytes_text,
    clock_text,
    is_known,
    percent_text,
    seconds_text,
)

BARS = "▁▂▃▄▅▆▇█"
NAME, NAME_WIDTH, CURVE_WIDTH = "dim", 17, 24
WIDE = 76  # columns that two figures side by side take
STYLES = {WAITING: "yellow", RUNNING: "green", QUIET: "yellow", ENDED: "bold"}
STALE_SECONDS = 30.0  # fleet.json older than that is marked
ALERT = "yellow"


def screen(run: Outside) -> RenderableType:
    """Return a run's screen.

    Args:
        run: as it was at the last look.
    """
    parts: list[RenderableType] = [_title(run), _progress(run)]
    if run.row:
        parts += ["", _figures(run), "", _counts(run), *_reasons(run)]
    if run.fleet is not None:
        parts += ["", _fleet(run.fleet, run.now)]
    return Group(*parts)


def _title(run: Outside) -> RenderableType:
    s = run.settings
    clients = "" if s is None else f"{s.federation.clients:,} clients"
    name = "" if s is None else f"{s.algorithm} · {s.model.name} on {s.data.name} · {clients}"
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(
        Text(name or str(run.folder), style="bold"),
        Text(f"● {_status(run)}", style=STYLES[run.status]),
    )
    if name:
        line.add_row(Text(str(run.folder), style=NAME), Text(""))
    return line


def _status(run: Outside) -> str:
    if run.status == WAITING:
        if not run.folder.is_dir():
            return "no such folder yet"
        return "before its first round"
    if run.status == QUIET:
        return f"no news for {seconds_text(run.age)}"
    return run.status


def _progress(run: Outside) -> RenderableType:
    line = Table.grid(expand=True, padding=(0, 2, 0, 0))
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    rounds = UNKNOWN if run.rounds is None else f"{run.rounds:,}"
    share = run.round / run.rounds if run.rounds else None
    tail = f"round {run.round:,} of {rounds} · {percent_text(share)}"
    if run.status != ENDED:
        tail += f" · left {clock_text(run.left)}"
    line.add_row(
        ProgressBar(total=run.rounds or 1, completed=run.round, complete_style="cyan"), Text(tail)
    )
    return line


@dataclass(frozen=True)
class _Figures:
    """Name, value and remark of each figure; in two columns where the terminal has the room."""

    left: Sequence[tuple[str, str, str]]
    right: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < WIDE:
            yield _table([*self.left, *((name, value, "") for name, value in self.right)])
            return
        pairs = zip_longest(self.left, self.right, fillvalue=("", "", ""))
        yield _table([(*one, *other[:2]) for one, other in pairs])


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=NAME, min_width=NAME_WIDTH, no_wrap=True)
    table.add_column(style="bold", justify="right", min_width=7, no_wrap=True)
    table.add_column(style=NAME, min_width=CURVE_WIDTH, no_wrap=True)
    table.add_column(style=NAME, no_wrap=True)
    table.add_column(style="bold", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _figures(run: Outside) -> RenderableType:
    known, tested = run.known, run.test_round
    when = "" if tested in (None, run.round) else f"round {tested:,}"
    rows = [
        ("training loss", loss_text(run.row.get("loss")), sparkline(run.losses)),
        ("test accuracy", percent_text(known.get("test_accuracy")), when),
        ("expected cosine", fixed_text(run.row.get("expected_cosine"), 3), ""),
        *_privacy(run.row),
    ]
    if "client_accuracy" in known:
        of = f"loss {loss_text(known.get('client_loss'))}"
        rows.insert(2, ("clients' accuracy", percent_text(known["client_accuracy"]), of))
    beside = [
        ("a round", seconds_text(run.round_seconds)),
        ("bytes up", bytes_text(known.get("bytes_up"))),
        ("bytes down", bytes_text(known.get("bytes_down"))),
    ]
    if "catch_up_bytes" in known:
        beside.append(("to catch up", bytes_text(known["catch_up_bytes"])))
    return _Figures(rows, beside)


def _privacy(row: Row) -> list[tuple[str, str, str]]:
    """Return what is spent of a privacy budget, if there is one."""
    if row.get("epsilon") is None:
        return []
    return [("ε spent", fixed_text(row["epsilon"], 3), f"of one {row.get('unit', 'unit')}")]


def _counts(run: Outside) -> RenderableType:
    row, sums = run.row, run.sums
    reports = f"{sums['reports']:,} of {sums['asked']:,}"
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=NAME, min_width=NAME_WIDTH, no_wrap=True)
    table.add_column(justify="right", min_width=10, no_wrap=True)
    table.add_column(justify="right", min_width=14, no_wrap=True)
    table.add_row("", Text("this round", style=NAME), Text("in all", style=NAME))
    now = f"{_number(row.get('reports'))} of {_number(row.get('asked'))}"
    table.add_row("reports in", Text(now, style="bold"), Text(reports))
    table.add_row("late", _alert(row.get("late")), _alert(sums["late"]))
    table.add_row("missing", _alert(_missing(row)), _alert(sums["missing"]))
    abandoned = Text("yes", style=ALERT) if row.get("abandoned") else Text("no")
    table.add_row("abandoned", abandoned, _alert(sums["abandoned"]))
    return table


def _reasons(run: Outside) -> Iterator[RenderableType]:
    for name in ("refused", "faults"):
        found = run.reasons(name)
        if found:
            said = " · ".join(f"{reason} {count:,}" for reason, count in found.items())
            yield _sentence(name, Text(said, style=ALERT))


def _sentence(name: str, text: Text) -> Table:
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(style=NAME, min_width=NAME_WIDTH, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(name), text)
    return line


def _missing(row: Row) -> int | None:
    if "missing" in row:
        return row["missing"]
    return row["asked"] - row["reports"] if "asked" in row and "reports" in row else None


def _fleet(fleet: Fleet, now: float) -> RenderableType:
    says = [f"{_number(fleet.online)} of {_number(fleet.registered)} online"]
    if fleet.stage:
        says.append(fleet.stage)
    if fleet.asked is not None:
        says.append(f"{_number(fleet.reported)} of {fleet.asked:,} in")
    age = None if fleet.updated is None else max(0.0, now - fleet.updated)
    if fleet.deadline is not None:
        says.append(f"deadline in {seconds_text(max(0.0, fleet.deadline - (age or 0.0)))}")
    stale = age is None or age > STALE_SECONDS
    if stale:
        says.append(f"as of {seconds_text(age)} ago" if is_known(age) else "of unknown age")
    return _sentence("fleet", Text(" · ".join(says), style=ALERT if stale else ""))


def sparkline(values: Iterable[float]) -> str:
    """Return the last values as a row of bars from the least to the largest.

    Example:
        >>> sparkline([3.0, 2.0, 1.0])
        '█▅▁'
    """
    last = list(values)[-CURVE_WIDTH:]
    low, high = min(last, default=0.0), max(last, default=0.0)
    if not math.isfinite(high - low) or high == low:
        return BARS[0] * len(last)
    top = len(BARS) - 1
    return "".join(BARS[round((value - low) / (high - low) * top)] for value in last)


def _number(value: int | None) -> str:
    return f"{value:,}" if isinstance(value, int) else UNKNOWN


def _alert(count: int | None) -> Text:
    return Text(_number(count), style=ALERT if count else "")
