"""Results: one JSON object a line, one line a finished cell, in the order they finished.

    {"cell": id, "labels": {…}, "settings": {…}, "summary": {…}, "curve": [[round, accuracy], …],
     "extra": {…}, "wall_seconds": …, "machine": {…}, "version": …}

A line is added by writing the whole file anew and putting it in the old one's place, so a reader or
a crash sees all of a line or nothing; several runners of one study take turns by a lock.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.harness.study import Cell, Label, Study

FILE = "results.jsonl"
Line = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What came of a cell."""

    cell: Cell
    line: Line

    def figure(self, name: str) -> float:
        """Return a figure of the run's summary or of the study's extra ones; nan if unknown."""
        value = {**self.line["summary"], **self.line["extra"]}[name]
        return math.nan if value is None else float(value)


@dataclass(frozen=True)
class Results:
    """Results in the order of the study's cells; cells that have none are left out."""

    items: Sequence[Result]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.items)

    def select(self, **labels: Label) -> Results:
        """Return those whose labels have these values."""
        return Results([r for r in self.items if r.cell.labels.items() >= labels.items()])

    def figures(self, name: str) -> list[float]:
        """Return one figure of each."""
        return [result.figure(name) for result in self.items]

    def paired(self, name: str, label: str, value: Label, base: Label) -> list[float]:
        """Return a figure's differences between two values of a label, all other labels alike.

        Args:
            name: of the figure.
            label: whose values are compared.
            value, base: figure at `value` minus figure at `base`.
        """
        others = {_without(r.cell, label): r for r in self.select(**{label: base})}
        return [
            r.figure(name) - others[_without(r.cell, label)].figure(name)
            for r in self.select(**{label: value})
            if _without(r.cell, label) in others
        ]


def _without(cell: Cell, label: str) -> tuple[tuple[str, Label], ...]:
    return tuple((k, v) for k, v in cell.labels.items() if k != label)


def read_lines(folder: Path) -> list[Line]:
    """Return the stored lines; none if there is no file.

    Raises:
        ValueError: a line is no result; names it.
    """
    path = folder / FILE
    if not path.exists():
        return []
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            value = json.loads(text)
            known = isinstance(value, dict) and value.keys() >= {"cell", "summary", "extra"}
        except json.JSONDecodeError:
            known = False
        if not known:
            raise ValueError(f"{path}:{number} is no result: expected a JSON object with a cell")
        lines.append(value)
    return lines


def results_of(study: Study) -> Results:
    """Return what is known of a study's cells."""
    lines = {line["cell"]: line for line in read_lines(study.folder)}
    return Results([Result(cell, lines[cell.id]) for cell in study.cells if cell.id in lines])


def missing(study: Study) -> list[Cell]:
    """Return the cells that have no result yet."""
    known = {line["cell"] for line in read_lines(study.folder)}
    return [cell for cell in study.cells if cell.id not in known]


def orphans(study: Study) -> int:
    """Return how many lines belong to no cell of the study any more."""
    cells = {cell.id for cell in study.cells}
    return sum(line["cell"] not in cells for line in read_lines(study.folder))


def add(folder: Path, line: Mapping[str, Any]) -> bool:
    """Store a line unless its cell has one; returns whether it was stored."""
    with _alone(folder):
        lines = read_lines(folder)
        if any(known["cell"] == line["cell"] for known in lines):
            return False
        text = "".join(json.dumps(each, allow_nan=False) + "\n" for each in [*lines, line])
        replace_text(folder / FILE, text)
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it if this process dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Write a whole file so that nobody ever sees half of it."""
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(handle)
        Path(fresh).chmod(0o644)
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
