"""Choose how probes are computed on this machine: route, chunk, threads, clients in one pass.

Route, chunk and threads by a short measurement, kept in a cache file for the next run of the same
form; clients by what fits. They are only proposed for a new run: the run writes them into its
configuration, since another choice may change a loss in its last bits.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.backends.torch.chunking import ACTIVATION_BYTES, batched_chunk
from baffle.backends.torch.clients import clients_in_pass, surveyed
from baffle.backends.torch.survey import Survey
from baffle.cohort import cohort_size
from baffle.config import EngineSettings, Settings
from baffle.directions import Points
from baffle.drivers.build import first_plan
from baffle.drivers.local import engine_cache
from baffle.drivers.local.task import Task
from baffle.protocol import Plan
from baffle.protocol.steps import batch_size, points_of

CHUNKS = (8, 16, 32, 64, 128, 256)
EXAMPLES = (16, 64)  # a pass, where points go one by one
WORTH = 64  # such passes are tried from this part of a full pass's activations on
SECONDS = 0.08  # of measuring a candidate
TURNS = 16  # points of a measurement that takes them one by one
POINT_BY_POINT = "point_by_point"
ALONE_POINTS = 2 * max(CHUNKS)  # points of a measurement with one client in a pass
FROZEN_BYTES = 2**30  # a pass's largest frozen result, should it be held for every point after all


@dataclass(frozen=True)
class Engine:
    """One choice."""

    chunk: int
    threads: int
    clients: int
    route: str


def choose_engine(settings: Settings, task: Task) -> Settings:
    """Return the settings with chunk, threads and clients filled in by what ran fastest here.

    Settings with chunk and threads are left alone: they are of a run from before clients shared a
    pass, or someone chose.
    """
    given = settings.engine
    if given.chunk and given.threads:
        return settings
    plan = first_plan(settings, model_signature(task.model))
    candidates = list(_candidates(settings, task, plan))
    key = engine_cache.key_of(settings, task, plan)
    known = engine_cache.recall(key)
    kept = [c for c in candidates if asdict(c) == known]
    best = kept[0] if kept else max(candidates, key=lambda c: _speed(task, plan, c, given))
    if not kept:
        engine_cache.keep(key, asdict(best))
    return settings.model_copy(update={"engine": given.model_copy(update=asdict(best))})


def probe_of(task: Task, engine: EngineSettings) -> TorchProbe:
    """Return what evaluates a task's losses by an engine's choices."""
    return TorchProbe(
        task.model,
        task.loss,
        task.train,
        chunk=engine.chunk,
        threads=engine.threads,
        route=engine.route,
        precision=engine.precision,
        compiled=engine.compiled,
        low_memory=engine.low_memory,
    )


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _candidates(settings: Settings, task: Task, plan: Plan) -> Iterator[Engine]:
    engine, directions = settings.engine, plan.num_directions
    threads = [engine.threads] if engine.threads else sorted({1, cores()})
    seen = surveyed(task.model, task.loss, task.train.batch(_rows(task, plan, 0)))
    sizes = {min(c, directions) for c in (1,) * engine.low_memory or CHUNKS}
    chunks = sorted(sizes if engine.low_memory else sizes | _whole(plan, seen))
    chunks = [engine.chunk] if engine.chunk else chunks
    peak = seen.peak_bytes
    turns = list(_turns(engine, len(_rows(task, plan, 0)), threads))
    if engine.route != POINT_BY_POINT and not engine.compiled:
        for chunk in chunks:
            clients = engine.clients or _clients(settings, plan, peak, chunk)
            yield from (Engine(chunk, t, clients, engine.route) for t in threads)
        given = engine.route or engine.chunk or engine.low_memory
        turns = [] if given or peak * WORTH < ACTIVATION_BYTES else turns
    yield from turns


def _whole(plan: Plan, seen: Survey) -> set[int]:
    """Return the points of a pass over all of a plan's, if something frozen makes it worth trying.

    Every pass computes what is frozen once, so that fewer and larger ones do less.
    """
    if seen.moved_total == seen.total_bytes:
        return set()
    most = min(batched_chunk(seen.moved_peak), FROZEN_BYTES // seen.peak_bytes)
    return {max(1, min(plan.probes, most))}


def _turns(engine: EngineSettings, examples: int, threads: Sequence[int]) -> Iterator[Engine]:
    """Yield choices that take points one by one, for batches that fill a pass by themselves."""
    sizes = sorted({examples, *(size for size in EXAMPLES if size < examples)})
    sizes = [engine.chunk] if engine.chunk else sizes
    yield from (Engine(n, t, engine.clients or 1, POINT_BY_POINT) for t in threads for n in sizes)


def _clients(settings: Settings, plan: Plan, peak: int, chunk: int) -> int:
    """Return how many clients share a pass; one where they do not, or have batches of any size."""
    if plan.num_local_steps > 1 or not plan.batch or settings.engine.low_memory:
        return 1
    f = settings.federation
    asked = cohort_size(f.clients, f.participation, f.cohort)
    return min(asked, clients_in_pass(peak, min(chunk, plan.probes)))


def _rows(task: Task, plan: Plan, client: int) -> NDArray[np.int64]:
    """Return a client's rows in the size of the first one's batch."""
    size = batch_size(plan, len(task.rows[0]))
    return np.resize(task.rows[client], size)


def _speed(task: Task, plan: Plan, engine: Engine, given: EngineSettings) -> float:
    """Return probes a second on the first clients' batches; best of several calls."""
    probe = probe_of(task, given.model_copy(update=asdict(engine)))
    whole = points_of(plan, probe.signature, 0)
    most = max(ALONE_POINTS, engine.chunk) if engine.clients == 1 else 2 * engine.chunk
    if engine.route == POINT_BY_POINT:
        most = TURNS
    points = whole.part(0, min(len(whole), most))
    groups = [_rows(task, plan, client) for client in range(engine.clients)]
    return engine.clients * len(points) / _seconds(probe, points, groups)


def _seconds(probe: TorchProbe, points: Points, groups: Sequence[NDArray[np.int64]]) -> float:
    weights = initial_weights(probe.module)
    probe.many(weights, points, groups)  # checks the route, warms the caches
    best, spent = float("inf"), 0.0
    while spent < SECONDS:
        started = time.perf_counter()
        probe.many(weights, points, groups)
        took = time.perf_counter() - started
        best, spent = min(best, took), spent + took
    return best
