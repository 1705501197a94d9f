"""The table of a comparison: for terminals, and as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from baffle.drivers.compare.resources import RESOURCES
from baffle.report.compared import Compared, Entry
from baffle.report.units import (
    UNKNOWN,
    bytes_text,
    count_text,
    number_text,
    percent_text,
    seconds_text,
)
from baffle.report.verdict import verdict

NAME = "dim"


def _cost(name: str, text: Callable[[float | None], str]) -> Callable[[Entry], str]:
    return lambda entry: text(entry.costs.get(name))


def _accuracy(entry: Entry) -> str:
    return percent_text(entry.spread.median) if entry.spread else UNKNOWN


def _range(entry: Entry) -> str:
    found = entry.spread
    return f"{100 * found.low:.1f}–{100 * found.high:.1f}" if found else ""


def _size(entry: Entry) -> str:
    directions = UNKNOWN if entry.differentiates else f"{entry.directions:,}"
    return f"{directions} × {entry.batch or 'all'}"


def _tuning(entry: Entry) -> str:
    spent = entry.tuning
    if not spent["trials"]:
        return UNKNOWN
    return f"{count_text(spent['evaluations'])}, {seconds_text(spent['seconds'])}"


Columns = tuple[tuple[str, Callable[[Entry], str]], ...]
REACHED: Columns = (
    ("accuracy", _accuracy),
    ("keys", _range),
    ("rounds", _cost("rounds", count_text)),
    ("evals", _cost("evaluations", count_text)),
    ("time", _cost("seconds", seconds_text)),
    ("memory", lambda e: bytes_text(e.peak)),
)
BESIDE: Columns = (
    ("up", _cost("bytes_up", bytes_text)),
    ("down", _cost("bytes_down", bytes_text)),
    ("K × B", _size),
    ("step size", lambda e: number_text(e.step_size)),
    ("tuning", _tuning),
)
WIDE = 120  # columns of a terminal on which all stand side by side


class _Tables:
    """One table where there is room, else two, one under the other."""

    def __init__(self, found: Compared) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = [REACHED + BESIDE] if options.max_width >= WIDE else [REACHED, BESIDE]
        for columns in parts:
            yield _table(self.found, columns)


def _table(found: Compared, columns: Columns) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=NAME)
    table.add_column("", style="bold", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for entry in found.entries:
        table.add_row(entry.name, *(text(entry) for _, text in columns))
    return table


def compared_table(found: Compared) -> RenderableType:
    """Return the table, what its columns mean, and the verdict."""
    return Group(
        Text(title_of(found), style="bold"),
        _Tables(found),
        Text(legend(found), style=NAME),
        Text(),
        Text(verdict(found)),
    )


def title_of(found: Compared) -> str:
    """Return what was compared, in one line.

    The data's name and the model's are those of the first contender; all have the same.
    """
    c = found.comparison
    s = c.settings(c.contenders[0], c.keys[0])
    budget = _budget_text(c.equal, c.budget)
    return (
        f"{s.model.name} on {s.data.name} ({s.data.partition}) · {s.federation.clients:,} clients "
        f"· at most {budget}"
    )


def _budget_text(equal: str, budget: float) -> str:
    text = {
        "bytes": bytes_text,
        "memory": bytes_text,
        "seconds": seconds_text,
    }.get(equal, count_text)
    unit = RESOURCES[equal].unit.removeprefix("bytes ").removeprefix("seconds ")
    return f"{text(budget)} {unit}"


def legend(found: Compared) -> str:
    """Return what the columns mean."""
    keys, trials = len(found.comparison.keys), found.comparison.trials
    return (
        f"Medians over {keys} run key{'s' * (keys > 1)}; keys: lowest and highest accuracy. "
        "evals: forward passes of an example, all clients; a gradient counts as three. up, down: "
        "bytes a client. time: all clients' rounds on one thread here. memory: a client's peak, "
        "libraries included. K × B: directions and examples of a client's step. tuning: "
        f"{trials} trials for the step size, by training loss, not part of the other columns."
    )


def markdown(found: Compared) -> str:
    """Return the table as Markdown.

    Example:
        >>> print(markdown(found))  # doctest: +SKIP
        | | accuracy | keys | …
    """
    columns = REACHED + BESIDE
    titles = ["", *(title for title, _ in columns)]
    rows = [[entry.name, *(text(entry) for _, text in columns)] for entry in found.entries]
    lines = [titles, ["---", *["---:"] * len(columns)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
