"""Run, store, and show audits; a run that is killed goes on with what is missing."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.harness.results import add, read_lines
from experiments.privacy_audit.attack import scores
from experiments.privacy_audit.bounds import audited
from experiments.privacy_audit.cells import CELLS, DELTA, Cell
from experiments.privacy_audit.page import HERE, fill, filled


def main(arguments: Sequence[str]) -> int:
    """Return 0 if all is as it should be, 1 if an audit proves more than was promised."""
    parser = argparse.ArgumentParser("python -m experiments.privacy_audit", description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="results.jsonl and README.md")
    parser.add_argument("--list", action="store_true", help="what has a result")
    parser.add_argument("--check", action="store_true", help="does the table say what results say?")
    given = parser.parse_args(arguments)
    if given.check:
        return _checked(given.folder)
    known = {line["cell"] for line in read_lines(given.folder)}
    for cell in CELLS:
        if cell.id in known or given.list:
            print(cell, "known" if cell.id in known else "missing")
            continue
        line = audit(cell, cell.trials)
        add(given.folder, line)
        fill(given.folder, read_lines(given.folder))
        print(cell, line["summary"], f"{line['wall_seconds']} s", flush=True)
    fill(given.folder, read_lines(given.folder))
    return 0 if all(_sound(line) for line in read_lines(given.folder)) else 1


def audit(cell: Cell, trials: int) -> dict[str, Any]:
    """Return an audit's result, as `results.jsonl` has it; the same each time but for the time."""
    started, spec = time.perf_counter(), cell.spec()
    private = hashlib.sha256(cell.id.encode()).digest()  # an audit may repeat; a client must not
    one, other = (scores(cell, spec, trials, present, private) for present in (True, False))
    proven, gaussian = audited(one, other, DELTA)
    summary = {
        "noise_multiplier": spec.noise_multiplier,
        "claimed": cell.claimed(),
        "proven": proven,
        "proven_gaussian": gaussian if cell.sampling is None else None,
    }
    labels = {"unit": cell.unit, "rounds": cell.rounds, "control": cell.control}
    return {
        "cell": cell.id,
        "labels": {**labels, "sampling": cell.sampling, "target": cell.target},
        "summary": summary,
        "extra": {"trials": trials},
        "wall_seconds": round(time.perf_counter() - started, 1),
        "machine": {"cores": os.cpu_count()},
    }


def _sound(line: dict[str, Any]) -> bool:
    """Return whether a bound keeps the promise, or a control was found out."""
    found = line["summary"]
    return bool((found["proven"] > found["claimed"]) == line["labels"]["control"])


def _checked(folder: Path) -> int:
    page = (folder / "README.md").read_text(encoding="utf-8")
    if filled(page, read_lines(folder)) == page:
        return 0
    print(f"{folder}/README.md does not show what results.jsonl says", file=sys.stderr)
    return 1
