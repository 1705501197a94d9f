"""One cell: a run, its diagnosis, and the same run after the change that was advised."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from baffle.api.run import run
from baffle.config import resolve
from baffle.drivers.diagnose import Diagnosis, diagnose
from baffle.models.convert import convert
from experiments.diagnosis.model import task_for
from experiments.harness.study import merged


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's diagnosis says, and test accuracy before and after the advice.

    Args:
        asked: `settings` of the run, and whether to run it again with what is advised (`mend`).
    """
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="baffle-study-") as parent:
        folder = Path(parent) / "run"
        settings = resolve(asked["settings"])
        before = run(settings, task_for(settings), folder).test_accuracy
        found = diagnose(folder, task_for(settings))
        after = _mended(asked["settings"], found, Path(parent)) if asked["mend"] else None
    first, learned = found.first, found.figures.learned
    return {
        "accuracy": before,
        "mended": after,
        "first": first.check if first else "",
        "severity": first.severity if first else "ok",
        "figure": first.figure if first else "",
        "change": (first.settings or first.change) if first else "",
        "learned": learned if math.isfinite(learned) else None,  # with privacy no loss is known
        "others": [f.check for f in found.findings if f.bad and f is not first],
        "wrong": [f.check for f in found.findings if f.severity == "wrong"],
    }


def _mended(settings: Mapping[str, Any], found: Diagnosis, parent: Path) -> float | None:
    """Return the accuracy with the first finding's change; None where there is none to make."""
    if found.first is None:
        return None
    changed = dict(settings)
    for name, value in found.first.settings.items():
        section, dot, key = name.partition(".")
        changed = merged(changed, {section: {key: value}} if dot else {name: value})
    resolved = resolve(changed)
    task = task_for(resolved)
    if found.first.check == "batch_norm":
        task = replace(task, model=convert(task.model)[0])
    return run(resolved, task, parent / "mended").test_accuracy
