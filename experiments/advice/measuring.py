"""Run a cell: first what the advice measures, then whole rounds, each in a process of its own."""

from __future__ import annotations

import time
from typing import Any

from baffle.bench.advise.processes import Trials
from baffle.bench.machine import machine
from experiments.advice.cells import Cell


def measured(cell: Cell, running: Trials) -> dict[str, Any]:
    """Return a cell's line."""
    started = time.perf_counter()
    short, whole = running.measure(cell.short), running.measure(cell.whole)
    return {
        "cell": cell.id,
        "labels": cell.labels,
        "summary": {"short": short, "whole": whole},
        "extra": {},
        "wall_seconds": round(time.perf_counter() - started, 1),
        "machine": machine(),
    }
