"""The tables of summaries, in plain words and right-aligned figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from baffle.report.summary import Summary
from baffle.report.units import (
    UNKNOWN,
    bytes_text,
    count_text,
    number_text,
    percent_text,
    power_text,
    seconds_text,
)

NAME, FIGURE, HEADING = "dim", "bold", "bold"


def heading(text: str) -> Text:
    """Return a section's heading."""
    return Text(text, style=HEADING)


def run_title(summary: Summary) -> str:
    """Return which run this is, in one line."""
    s = summary
    return f"{s.algorithm} · {s.model} on {s.data} · {s.clients} clients · key {s.key}"


def summary_table(summary: Summary) -> RenderableType:
    """Return a summary for a terminal of 80 columns or more."""
    return Group(
        heading(run_title(summary)),
        indented(_pairs(figure_rows(summary))),
        heading("Chosen by measurement, or set"),
        indented(_list(choice_rows(summary.choices))),
        heading("Faults"),
        indented(_list(fault_rows(summary.faults))),
        heading("Revealed"),
        indented(_list(summary.revealed.items())),
        heading("Stored"),
        indented(_list(_stored_rows(summary), narrow=True)),
    )


def figure_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return names and values of a summary's figures."""
    s = summary
    whole = s.rounds == s.rounds_planned
    return [
        ("test accuracy", percent_text(s.test_accuracy) + _when(s)),
        ("test loss", number_text(s.test_loss)),
        ("rounds", f"{s.rounds:,}" if whole else f"{s.rounds:,} of {s.rounds_planned:,}"),
        ("time", seconds_text(s.seconds)),
        ("probes", count_text(s.probes)),
        ("example evaluations", _evaluations(s)),
        ("bytes up", bytes_text(s.bytes_up)),
        ("bytes down", bytes_text(s.bytes_down)),
        ("bytes up a report", bytes_text(s.bytes_up_per_report)),
        ("trained entries", UNKNOWN if s.dimension is None else f"{s.dimension:,}"),
    ]


def _evaluations(summary: Summary) -> str:
    text = count_text(summary.example_evaluations)
    extra = summary.gradient_examples
    return f"{text}, {count_text(extra)} differentiated" if extra else text


def _when(summary: Summary) -> str:
    old = summary.test_round not in (None, summary.rounds)
    return f" (round {summary.test_round:,})" if old else ""


def choice_rows(choices: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of what was chosen by measurement."""
    counts = choices["estimator"]
    estimators = ", ".join(f"{name} {count:,} rounds" for name, count in counts.items())
    return [
        ("radius", _span(choices["radius"])),
        ("quantisation step", _span(choices["quantisation_step"])),
        ("estimator", estimators or UNKNOWN),
        ("step size", number_text(choices["step_size"])),
        ("chunk", _or_unknown(choices["chunk"])),
        ("threads", _or_unknown(choices["threads"])),
    ]


def _span(ends: list[float] | None) -> str:
    if ends is None:
        return UNKNOWN
    low, high = (power_text(end) for end in ends)
    return low if low == high else f"{low} to {high}"


def _or_unknown(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value:,}"


def fault_rows(faults: dict[str, int]) -> list[tuple[str, str]]:
    """Return names and counts of what went wrong."""
    missed = f"{faults['missed']:,}"
    if faults["refused_late"]:
        missed += f", {faults['refused_late']:,} of them refused because they came late"
    return [
        ("rounds abandoned", f"{faults['abandoned']:,}"),
        ("reports missed", missed),
        ("derivatives clipped", f"{faults['clips']:,}"),
        ("not finite", f"{faults['nonfinite']:,}"),
    ]


def _stored_rows(summary: Summary) -> list[tuple[str, str]]:
    return [("digest", summary.digest or UNKNOWN), ("folder", str(summary.run_dir))]


def _list(rows: Iterable[tuple[str, str]], *, narrow: bool = False) -> Table:
    """Return names and values, one pair a line; narrow: a whole digest beside its name."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=NAME, min_width=6 if narrow else 19)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _pairs(rows: list[tuple[str, str]]) -> Table:
    """Return names and values, two pairs a line."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=NAME, min_width=19)
    table.add_column(style=FIGURE, justify="left", min_width=14)
    table.add_column(style=NAME, min_width=19)
    table.add_column(style=FIGURE, justify="left")
    for (first, one), (second, two) in zip(rows[::2], rows[1::2], strict=True):
        table.add_row(first, one, second, two)
    return table


def indented(table: RenderableType) -> Padding:
    """Return a section's content, set in and with a line of space after it."""
    return Padding(table, (0, 0, 1, 2))
