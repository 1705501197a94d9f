"""Run, store, and show the comparisons; one that is killed goes on with what is missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.compare.page import HERE, fill, filled, read
from experiments.compare.tasks import TASKS, folder_name


def main(arguments: Sequence[str]) -> int:
    """Run what is missing; returns 0 if every contender came to an end on every chosen task."""
    parser = argparse.ArgumentParser("python -m experiments.compare", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once, a thread each")
    parser.add_argument("--only", action="append", choices=TASKS, help="this task; repeatable")
    parser.add_argument("--folder", type=Path, default=HERE, help="results/ and README.md")
    parser.add_argument("--report", action="store_true", help="page and picture, run nothing")
    parser.add_argument("--list", action="store_true", help="how many cells are missing")
    parser.add_argument("--check", action="store_true", help="does the page say what results say?")
    given = parser.parse_args(arguments)
    if given.check:
        return _checked(given.folder)
    if given.list:
        return _listed(given.folder)
    chosen = [] if given.report else given.only or TASKS
    unfinished = [task for task in chosen if not _run(task, given.folder, given.jobs)]
    fill(given.folder)
    return 1 if unfinished else 0


def _run(task: str, folder: Path, jobs: int) -> bool:
    from rich.console import Console

    from baffle.api.compare import carry_out
    from baffle.cli.comparing import Screen

    place = folder / "results" / folder_name(task)
    console = Console(highlight=False)
    console.print(task, style="bold")
    with Screen(console, place) as screen:
        found = carry_out(TASKS[task], place, jobs, screen.watch)
    (place / "lock").unlink(missing_ok=True)  # of no use in a repository
    fill(folder)
    return found.complete and not any(e.note for e in found.entries)


def _listed(folder: Path) -> int:
    from baffle.drivers.compare.cells import total_cells

    for task, comparison in TASKS.items():
        lines = read(folder, task)
        print(f"{task}: {len(lines)} of {total_cells(comparison, lines)} cells done")
    return 0


def _checked(folder: Path) -> int:
    page = (folder / "README.md").read_text(encoding="utf-8")
    if filled(page, folder) == page:
        return 0
    print(f"{folder}/README.md does not show what its results say", file=sys.stderr)
    return 1
