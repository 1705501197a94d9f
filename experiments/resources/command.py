"""Measure, store and show; a study that is killed goes on with what is missing."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baffle.bench.advise.processes import trials
from baffle.bench.machine import machine
from experiments.harness.results import add, read_lines
from experiments.resources.cells import Cell, cells
from experiments.resources.page import HERE, fill, filled
from experiments.resources.picture import IMAGES, draw, stale


def main(arguments: Sequence[str]) -> int:
    """Return 0 if all went well."""
    parser = argparse.ArgumentParser("python -m experiments resources", description=__doc__)
    parser.add_argument("--folder", type=Path, help="results.jsonl, README.md and the picture")
    parser.add_argument("--list", action="store_true", help="what has a result")
    parser.add_argument("--report", action="store_true", help="only make page and picture anew")
    parser.add_argument("--check", action="store_true", help="do they say what results say?")
    given = parser.parse_args(arguments)
    folder, images = given.folder or HERE, given.folder or IMAGES
    if given.check:
        return _checked(folder, images)
    if given.list:
        known = _known(folder)
        for cell in cells():
            print(cell.labels, "known" if cell.id in known else "missing")
        return 0
    if not given.report:
        _run(folder)
    lines = read_lines(folder)
    fill(folder, lines)
    if lines:
        print(f"drew {draw(folder, images, lines)}")
    return 0


def _run(folder: Path) -> None:
    with trials() as running:
        for cell in cells():
            if cell.id in _known(folder):
                continue
            started, where = time.perf_counter(), machine()
            found = running.measure(cell.trial)
            add(folder, _line(cell, found, time.perf_counter() - started, where))
            fill(folder, read_lines(folder))
            print(cell.labels, flush=True)


def _line(
    cell: Cell, found: dict[str, Any], seconds: float, where: dict[str, Any]
) -> dict[str, Any]:
    return {
        "cell": cell.id,
        "labels": cell.labels,
        "summary": found,
        "extra": {},
        "wall_seconds": round(seconds, 1),
        "machine": where,
    }


def _known(folder: Path) -> set[str]:
    return {line["cell"] for line in read_lines(folder)}


def _checked(folder: Path, images: Path) -> int:
    page, lines = (folder / "README.md").read_text(encoding="utf-8"), read_lines(folder)
    wrong = ["README.md"] * (filled(page, lines) != page)
    if {cell.id for cell in cells()} <= {line["cell"] for line in lines}:
        wrong += stale(folder, images)
    for name in wrong:
        print(f"{name} does not show what {folder}/results.jsonl says", file=sys.stderr)
    return 1 if wrong else 0
