"""One cell from its settings to its line of results, as `baffle run` would run it."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import baffle
from experiments.harness.results import Line
from experiments.harness.study import Cell, Study

LEFT_OUT = ("run_dir",)  # of a run's summary: it lay in a folder that is gone
MACHINE = ("cpu", "cores", "load", "python", "torch", "numpy")


def work(study: Study, cell: Cell) -> Line:
    """Run a cell in a folder that is deleted afterwards, on one thread, and return its line.

    Raises:
        BaffleError: the settings do not go together, or data are missing.
    """
    from baffle.backends.torch.threads import using_threads
    from baffle.bench.machine import machine

    about, started = machine(), time.perf_counter()
    with using_threads(1):
        found = _run(study, cell) if cell.is_run else _measured(study, cell)
    return {
        "cell": cell.id,
        "labels": dict(cell.labels),
        "settings": dict(cell.settings),
        **_finite(found),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "machine": {name: about[name] for name in MACHINE},
        "version": baffle.__version__,
    }


def _finite(value: Any) -> Any:
    """Return a line's value with null in the place of what a diverged run came to."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _measured(study: Study, cell: Cell) -> Line:
    """Return what the study measures where there is no run."""
    if study.measure is None:
        raise ValueError(f"{study.name}: expected a Study with `measure`, since {cell} is no run")
    return {"summary": {}, "curve": [], "extra": dict(study.measure(cell.settings["measure"]))}


def _run(study: Study, cell: Cell) -> Line:
    """Return the figures of a run in a folder that is gone afterwards."""
    from baffle.api.run import run
    from baffle.config import resolve
    from baffle.drivers.local.task import task_of

    settings = resolve(cell.settings)
    with tempfile.TemporaryDirectory(prefix="baffle-study-") as parent:
        folder = Path(parent) / "run"
        summary = run(settings, (study.task or task_of)(settings), folder)
        return {
            "summary": {
                k: v for k, v in json.loads(summary.as_json()).items() if k not in LEFT_OUT
            },
            "curve": _curve(folder),
            "extra": dict(study.extra(folder)) if study.extra else {},
        }


def _curve(folder: Path) -> list[tuple[int, float]]:
    """Return the rounds that were evaluated, each with its test accuracy."""
    from baffle.drivers.local.metrics import read_metrics

    tested: list[dict[str, Any]] = [
        r for r in read_metrics(folder) if r.get("test_accuracy") is not None
    ]
    return [(row["round"], round(row["test_accuracy"], 6)) for row in tested]
