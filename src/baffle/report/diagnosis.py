"""A diagnosis for a terminal: what to change first, then every check, the worst first."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from baffle.drivers.diagnose import Diagnosis, Finding
from baffle.report.tables import heading, indented
from baffle.report.units import is_known, percent_text

STYLES = {"wrong": "bold red", "suspicious": "yellow", "unknown": "dim", "ok": "green"}
WORDS = {"wrong": "wrong", "suspicious": "suspicious", "unknown": "not possible", "ok": "ok"}
NO_LOSS = {False: "no loss yet", True: "its losses hold noise"}  # by whether it is private

OUTSIDE = (
    "These figures were measured on the clients' data, outside of what the run promises them: keep "
    "them where the data are."
)


def diagnosis_table(diagnosis: Diagnosis) -> RenderableType:
    """Return a diagnosis for a terminal of 80 columns or more."""
    bad = [f for f in diagnosis.findings if f.bad]
    rest = [f for f in diagnosis.findings if not f.bad]
    parts: list[RenderableType] = [heading(_title(diagnosis)), indented(_first(diagnosis))]
    if diagnosis.figures.outside_privacy:
        parts.append(indented(Text(OUTSIDE, style="yellow")))
    if bad:
        parts += [heading("Found"), indented(_found(bad, diagnosis))]
    return Group(*parts, heading("Looked at"), indented(_checked(rest)))


def _title(diagnosis: Diagnosis) -> str:
    figures = diagnosis.figures
    learned = figures.learned
    fell = (
        f"training loss fell by {percent_text(learned)}"
        if is_known(learned)
        else NO_LOSS[figures.private]
    )
    if is_known(learned) and learned < 0:
        fell = "training loss rose"
    return f"{diagnosis.folder} · {len(figures.rows):,} rounds · {fell}"


def _first(diagnosis: Diagnosis) -> Text:
    first = diagnosis.first
    if first is None:
        missing = " Not all checks were possible." if diagnosis.figures.measured is None else ""
        return Text(f"Nothing is found that keeps this run from learning.{missing}")
    text = f"First: {first.check}. {first.verdict} {first.change}".rstrip()
    return Text(f"{text}\n{diagnosis.command}" if diagnosis.command else text)


def _found(findings: list[Finding], diagnosis: Diagnosis) -> Table:
    table = _grid()
    for f in findings:
        cause = diagnosis.causes.get(f.check)
        follows = f" Follows from {cause}." if cause else ""
        said = f"{f.figure}\n{f.verdict}{follows}"
        table.add_row(Text(WORDS[f.severity], style=STYLES[f.severity]), f.check, Text(said))
    return table


def _checked(findings: list[Finding]) -> Table:
    table = _grid()
    for f in findings:
        said = f.figure if f.severity == "ok" else f.verdict
        table.add_row(Text(WORDS[f.severity], style=STYLES[f.severity]), f.check, Text(said))
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=10)
    table.add_column(min_width=12)
    table.add_column(overflow="fold")
    return table
