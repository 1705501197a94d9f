"""A measurement on the screen: what is going on, the table, the JSON, and Ctrl-C in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, RenderableType

from baffle.bench.machine import machine
from baffle.cli.output import Output
from baffle.errors import ConfigError

Say = Callable[[str], None]
Table = Callable[[Sequence[dict[str, Any]]], RenderableType]
INTERRUPTED = 130  # as a shell says it


def measured(
    work: Callable[[Say], Iterable[dict[str, Any]]],
    total: int | None,
    table: Table,
    as_json: bool,
    file: Path | None,
    device: str = "cpu",
) -> None:
    """Measure rows with progress on standard error, then show them.

    Args:
        work: takes what to tell about progress, gives rows.
        total: how many rows there will be, None if unknown.
        table: rows to what people read.
        as_json: whether the JSON ends standard output.
        file: gets the JSON.
        device: that is measured.

    Raises:
        ConfigError: the file cannot be written; said before anything is measured.
        Exit: with 130 after Ctrl-C; the rows measured by then are shown.
    """
    _require_writable(file)
    where = machine(device)
    rows: list[dict[str, Any]] = []
    complete = _collect(work, rows)
    value = {"rows": rows, "machine": where, "complete": complete}
    shown = [table(rows), _machine_line(where)] if rows else []
    Output(as_json).show(value, *shown)
    if file:
        file.write_text(json.dumps(value, indent=2) + "\n")
    if not complete:
        of = f" of {total}" if total else ""
        Console(stderr=True, highlight=False).print(f"interrupted after {len(rows)}{of} rows")
        raise typer.Exit(INTERRUPTED)


def _collect(work: Callable[[Say], Iterable[dict[str, Any]]], rows: list[dict[str, Any]]) -> bool:
    """Append the rows; return whether all came."""
    try:
        with _progress() as say:
            rows.extend(work(say))  # keeps what came before an interrupt
    except KeyboardInterrupt:
        return False
    return True


@contextmanager
def _progress() -> Iterator[Say]:
    """Show the last thing said beside a spinner; on what is no terminal, a line each."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda text: console.print(text, markup=False, soft_wrap=True)
        return
    with console.status("starting") as status:
        yield status.update


def _require_writable(file: Path | None) -> None:
    if file is None:
        return
    try:
        file.open("a").close()
    except OSError as problem:
        raise ConfigError(f"--output {file} cannot be written: {problem}") from None


def require_batches(batches: list[int] | None) -> list[int]:
    """Return the batches that were named.

    Raises:
        ConfigError: one is not positive.
    """
    for size in batches or []:
        if size < 1:
            raise ConfigError(f"--batch must be at least 1, got {size}")
    return batches or []


def require_numbers(option: str, text: str | None) -> list[int]:
    """Return the whole numbers that were named with commas between them, none by default.

    Raises:
        ConfigError: something else is among them.

    Example:
        >>> require_numbers("clients", "10,100")
        [10, 100]
    """
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(
            f"--{option} must be whole numbers with commas between them, got {text!r}"
        ) from None


def _machine_line(where: dict[str, Any]) -> str:
    device = "" if where["device"] == "cpu" else f", {where['device']}"
    load = "" if where["load"] is None else f", load {where['load']:.1f} before"
    return (
        f"{where['cpu']}, {where['cores']} cores, {where['instructions']}{device}; "
        f"torch {where['torch']}, NumPy {where['numpy']}{load}"
    )
