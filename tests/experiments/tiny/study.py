"""A study of a few seconds; the tests run it in folders of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from baffle.drivers.local.task import task_of
from experiments.harness import Results, Study, grid, keys, table
from experiments.harness.pictures import slide

BASE = {
    "rounds": 2,
    "probe": {"num_directions": 8, "pairs": 2, "batch": 4},
    "update": {"step_size": 0.01},
    "engine": {"threads": 1, "chunk": 8, "clients": 1},
}


def accuracies(results: Results) -> str:
    rows = ([str(r.cell), f"{r.figure('test_accuracy'):.4f}"] for r in results)
    return table(["cell", "accuracy"], rows)


def draw(results: Results):
    return slide(f"{len(results)} cells", "nothing else")


def task(settings):
    if settings.key and "TINY_WAITS" in os.environ:
        time.sleep(600)  # until it is killed
    return task_of(settings)


def after(folder: Path) -> dict[str, int]:
    return {"ledger_bytes": (folder / "ledger.db").stat().st_size}


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=grid(BASE, key=keys(2), bits={16: {}, 2: {"quantisation": {"bits": 2}}}),
    tables={"accuracies": accuracies},
    figures={"tiny.png": draw},
    task=task,
    extra=after,
)
