"""Figures to a file of the form that every file in benchmarks/ has."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from baffle.bench.machine import machine

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
Row = dict[str, Any]


def output(
    name: str, about: str | None, arguments: Sequence[str] | None, cases: range = range(1)
) -> tuple[Path, list[int]]:
    """Return the file that the command line asks for, and which cases.

    Args:
        name: of the figures.
        about: what the command does.
        arguments: of the command line.
        cases: that there are.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tools.fleet.figures.{name}")
    parser.description = about
    parser.add_argument("--output", type=Path, default=BENCHMARKS / f"fleet_{name}.json")
    if len(cases) > 1:
        parser.add_argument("--case", type=int, nargs="*", choices=cases, default=list(cases))
    asked = parser.parse_args(arguments)
    return asked.output, getattr(asked, "case", list(cases))


@contextmanager
def figures(file: Path) -> Iterator[list[Row]]:
    """Collect rows and write them, with the machine and its load before, when all came.

    Nothing is written if measuring fails.
    """
    where, rows = machine(), list[Row]()
    yield rows
    value = {"rows": rows, "machine": where, "complete": True}
    file.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    print(f"{len(rows)} rows in {file}", flush=True)
