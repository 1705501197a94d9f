"""`baffle show`: one run in full, or several side by side where they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from baffle.config import Settings
from baffle.drivers.local.metrics import Row
from baffle.errors import ConfigError
from baffle.report.runs import Run, read_run
from baffle.report.summary import Summary, summary_of
from baffle.report.tables import NAME, heading, indented, run_title
from baffle.report.units import (
    UNKNOWN,
    bytes_text,
    count_text,
    number_text,
    percent_text,
    ratio_text,
    seconds_text,
)

LAST_ROUNDS = 5
Figure = Callable[[Summary], float | None]

FIGURES: tuple[tuple[str, Figure, Callable[[float | None], str]], ...] = (
    ("test accuracy", lambda s: s.test_accuracy, percent_text),
    ("test loss", lambda s: s.test_loss, number_text),
    ("rounds", lambda s: s.rounds, count_text),
    ("example evaluations", lambda s: s.example_evaluations, count_text),
    ("probes", lambda s: s.probes, count_text),
    ("bytes up", lambda s: s.bytes_up, bytes_text),
    ("bytes down", lambda s: s.bytes_down, bytes_text),
    ("bytes up a report", lambda s: s.bytes_up_per_report, bytes_text),
    ("time", lambda s: s.seconds, seconds_text),
)

COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("round", lambda row: f"{row['round']:,}"),
    ("loss", lambda row: number_text(row.get("loss"), 4)),
    ("accuracy", lambda row: percent_text(row.get("test_accuracy"))),
    ("reports", lambda row: f"{row['reports']}/{row.get('asked', UNKNOWN)}"),
    ("cosine", lambda row: number_text(row.get("expected_cosine"), 2)),
    ("SNR", lambda row: number_text(row.get("signal_to_noise"), 2)),
    ("clips", lambda row: count_text(row.get("clips"))),
    ("not finite", lambda row: count_text(row.get("nonfinite"))),
    ("time", lambda row: seconds_text(row.get("round_seconds"))),
)


def compare(folders: Sequence[Path]) -> RenderableType:
    """Return what there is to say of one run, or how several differ.

    Args:
        folders: run folders; for two, a last column holds second over first.

    Raises:
        ConfigError: no folder is given, or a configuration cannot be read.
        LedgerError: a folder is no run.

    Example:
        >>> Console().print(compare([Path("runs/a"), Path("runs/b")]))  # doctest: +SKIP
    """
    if not folders:
        raise ConfigError("expected at least one run folder to show, got none")
    runs = [read_run(Path(folder)) for folder in folders]
    return _one(runs[0]) if len(runs) == 1 else _several(runs)


def _one(run: Run) -> RenderableType:
    return Group(
        summary_of(run).as_table(),
        heading("Settings"),
        indented(_sections_table(run.settings)),
        heading("Last rounds"),
        indented(_rounds_table(run.rows[-LAST_ROUNDS:])),
    )


def _sections_table(settings: Settings) -> Table:
    """Return all settings, one paragraph a section of the configuration file."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style=NAME, min_width=19)
    table.add_column()
    sections: dict[str, list[str]] = {}
    for name, value in flatten(settings).items():
        section, _, key = name.rpartition(".")
        sections.setdefault(section or "run", []).append(f"{key} {_setting_text(value)}")
    for section, pairs in sections.items():
        table.add_row(section, Text(", ".join(pairs)))
    return table


def flatten(settings: Settings) -> dict[str, Any]:
    """Return the settings by dotted names, in the order of the configuration file."""
    flat: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json").items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def differing(settings: Sequence[Settings]) -> list[str]:
    """Return the dotted names of the settings that are not the same in all runs."""
    flat = [flatten(s) for s in settings]
    return [name for name in flat[0] if any(f[name] != flat[0][name] for f in flat)]


def _several(runs: Sequence[Run]) -> RenderableType:
    summaries = [summary_of(run) for run in runs]
    names = differing([run.settings for run in runs])
    settings = _settings_table([run.settings for run in runs], names)
    return Group(
        *(Text(f"{_letter(i)}  {run_title(s)}  {s.run_dir}") for i, s in enumerate(summaries)),
        Text(),
        heading("Settings that differ"),
        indented(settings if names else Text("none")),
        heading("Figures"),
        indented(_figures_table(summaries)),
    )


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def _settings_table(settings: Sequence[Settings], names: Sequence[str]) -> Table:
    table = _table([_letter(i) for i in range(len(settings))])
    flat = [flatten(s) for s in settings]
    for name in names:
        table.add_row(name, *(Text(_setting_text(f[name])) for f in flat))
    return table


def _setting_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_setting_text(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _figures_table(summaries: Sequence[Summary]) -> Table:
    two = len(summaries) == 2
    titles = [_letter(i) for i in range(len(summaries))]
    table = _table(titles + ["B / A"] * two, justify="right")
    for name, figure, text in FIGURES:
        values = [figure(s) for s in summaries]
        ratio = [ratio_text(values[0], values[1])] * two
        table.add_row(name, *(text(v) for v in values), *ratio)
    return table


def _table(titles: Sequence[str], justify: Any = "left") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=NAME)
    table.add_column("", style=NAME, min_width=19)
    for title in titles:
        table.add_column(title, justify=justify, overflow="fold")
    return table


def _rounds_table(rows: Sequence[Row]) -> RenderableType:
    if not rows:
        return Text("none")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=NAME)
    for title, _ in COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(text(row) for _, text in COLUMNS), style="dim" if row["abandoned"] else "")
    return table
