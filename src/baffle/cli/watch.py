"""`baffle watch`: follow a run from outside its process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from baffle.cli.output import Output
from baffle.report.outside import ENDED, Outside
from baffle.report.screen import screen

LOOKS_A_SECOND = 2.0


def watch(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="A run folder; may be made later.", show_default=False),
    ],
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON objects, one a line, instead of a screen.")
    ] = False,
) -> None:
    """Follow a run while another process trains it; ends with the run, or with Ctrl-C.

    Only reads. Where the output is no terminal, the screen is printed once, when the run has ended.
    """
    output, seen = Output(as_json), Outside(run)
    try:
        _show(output, seen, once)
    except KeyboardInterrupt:  # the way to leave; the run goes on
        return


def _show(output: Output, seen: Outside, once: bool) -> None:
    if output.as_json:
        for _ in _changes(seen, once):
            output.show(seen.as_json())
    elif once or not output.console.is_terminal:
        for _ in _changes(seen, once):
            continue
        output.console.print(screen(seen))
    else:
        _live(output.console, seen)


def _live(console: Console, seen: Outside) -> None:
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for _ in _looks(seen, False):
            live.update(screen(seen), refresh=True)


def _looks(seen: Outside, once: bool) -> Iterator[None]:
    """Look again and again, until the run has ended."""
    while True:
        seen.look(time.time())
        yield
        if once or seen.status == ENDED:
            return
        time.sleep(1 / LOOKS_A_SECOND)


def _changes(seen: Outside, once: bool) -> Iterator[None]:
    """Yield after each look that found another state than the one before."""
    before: object = None
    for _ in _looks(seen, once):
        now = (seen.status, seen.round, seen.rounds, seen.fleet)
        if now != before:
            before = now
            yield
