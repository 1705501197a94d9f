"""Measure, store and show; a study that is killed goes on with what is missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baffle.bench.advise.processes import trials
from experiments.advice.cells import cells
from experiments.advice.effort_cells import effort_cells
from experiments.advice.measuring import measured
from experiments.advice.page import HERE, fill, filled
from experiments.harness.results import add, read_lines


def main(arguments: Sequence[str]) -> int:
    """Return 0 if all went well."""
    parser = argparse.ArgumentParser("python -m experiments advice", description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="results.jsonl and README.md")
    parser.add_argument("--list", action="store_true", help="what has a result")
    parser.add_argument("--report", action="store_true", help="only make the tables anew")
    parser.add_argument("--check", action="store_true", help="do the tables say what results say?")
    given = parser.parse_args(arguments)
    if given.check:
        return _checked(given.folder)
    if given.list:
        return _listed(given.folder)
    if not given.report:
        _run(given.folder)
    fill(given.folder, read_lines(given.folder))
    return 0


def _run(folder: Path) -> None:
    for each in effort_cells():
        if each.id not in _known(folder):
            _keep(folder, each.measured())
    with trials() as running:
        for cell in cells():
            if cell.id not in _known(folder):
                _keep(folder, measured(cell, running))


def _keep(folder: Path, line: dict[str, Any]) -> None:
    """Store a line, and show it."""
    add(folder, line)
    fill(folder, read_lines(folder))
    print(line["labels"], f"{line['wall_seconds']} s", flush=True)


def _known(folder: Path) -> set[str]:
    return {line["cell"] for line in read_lines(folder)}


def _listed(folder: Path) -> int:
    known = _known(folder)
    for cell in (*effort_cells(), *cells()):
        print(cell.labels, "known" if cell.id in known else "missing")
    return 0


def _checked(folder: Path) -> int:
    page = (folder / "README.md").read_text(encoding="utf-8")
    if filled(page, read_lines(folder)) == page:
        return 0
    print(f"{folder}/README.md does not show what results.jsonl says", file=sys.stderr)
    return 1
