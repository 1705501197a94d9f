"""Choose how probes are computed on this machine: chunk and threads, by a short measurement.

A measurement only proposes them for a new run: the run writes them into its configuration, since
another chunk or thread count may change a loss in its last bits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np

from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.config import Settings
from baffle.directions import Place, Points
from baffle.drivers.build import first_plan
from baffle.drivers.local.task import Task

CHUNKS = (8, 16, 32, 64, 128, 256)
SECONDS = 0.12  # of measuring a candidate


def choose_engine(settings: Settings, task: Task) -> Settings:
    """Return the settings with chunk and threads filled in by what ran fastest here."""
    engine = settings.engine
    if engine.chunk and engine.threads:
        return settings
    chunk, threads = max(_candidates(settings), key=lambda c: _speed(settings, task, *c))
    chosen = engine.model_copy(update={"chunk": chunk, "threads": threads})
    return settings.model_copy(update={"engine": chosen})


def _candidates(settings: Settings) -> Iterator[tuple[int, int]]:
    engine, directions = settings.engine, settings.probe.num_directions
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    threads = [engine.threads] if engine.threads else sorted({1, cores})
    chunks = [engine.chunk] if engine.chunk else sorted({min(c, directions) for c in CHUNKS})
    return ((c, t) for t in threads for c in chunks)


def _speed(settings: Settings, task: Task, chunk: int, threads: int) -> float:
    """Return probes a second on the first client's batch; best of several passes."""
    probe = TorchProbe(task.model, task.loss, task.train, chunk=chunk, threads=threads)
    signature = model_signature(task.model)
    plan = first_plan(settings, signature)
    count = min(settings.probe.num_directions, 2 * max(CHUNKS))
    numbers = np.arange(count, dtype=np.uint32)
    points = Points(
        Place(settings.key, 0),
        plan.kind,
        (plan.radius_exponent,) * len(signature.trained),
        numbers,
        np.ones(count, dtype=np.int8),
    )
    rows = task.rows[0][: settings.probe.batch or None]
    weights = initial_weights(task.model)
    probe(weights, points, rows)  # checks the route, warms the caches
    best, spent = 0.0, 0.0
    while spent < SECONDS:
        started = time.perf_counter()
        probe(weights, points, rows)
        took = time.perf_counter() - started
        best, spent = max(best, count / took), spent + took
    return best
