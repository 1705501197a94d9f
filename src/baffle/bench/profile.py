"""Where the time of probes goes, beside that of plain inference: kinds of operation, in shares.

Both sides run at the best settings that a search finds. torch's profiler gives the time of single
operations, and a clock the rest: drawing, and what Python does between operations. The profiler
itself makes small operations look slower than they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from torch.profiler import ProfilerActivity, profile

from baffle.backends.torch.memory import keep_freed_memory
from baffle.bench.modules import Subject
from baffle.bench.options import Options
from baffle.bench.search import Search
from baffle.bench.sides import BASE, SIDES, Case, Probes, Side, case_of
from baffle.bench.sides.work import Setting, Work
from baffle.bench.throughput import OURS, Say, silent
from baffle.bench.timing import awake

CALLS = 5
PARTS = {  # kind of operation: names of torch's operations, by how they begin
    "products": ("mm", "addmm", "mkldnn_convolution", "_slow_conv", "thnn_conv", "mkldnn_linear"),
    "correction": ("bmm", "baddbmm", "addcmul", "outer", "repeat_interleave"),
    "attention": ("_scaled_dot_product",),
    "loss": ("_log_softmax", "nll_loss"),
    "drawing": ("index_select",),
}
OTHER, PYTHON = "elementwise", "python"


def profiled(
    cases: Sequence[tuple[Subject, int]], options: Options, say: Say = silent
) -> Iterator[dict[str, Any]]:
    """Yield one row a case.

    Returns:
        {"model", "batch", "directions", "chunk", "threads", "route", "milliseconds": {side: {part:
        ms}}, "total": {side: ms}}: for all K·B rows. Parts: products (matrices and convolutions),
        correction (what a direction adds to them, and scales and shifts by point), attention,
        elementwise (activations, norms, copies), loss, drawing, python (what is left).
    """
    keep_freed_memory()
    for subject, examples in cases:
        say(f"{subject.name}, {examples} examples: profiling")
        yield _row(case_of(subject, examples, options.directions, options.device), options)


def _row(case: Case, options: Options) -> dict[str, Any]:
    sides = {name: SIDES[name](case) for name in (BASE, OURS)}
    settings = {name: _setting(side, case, options) for name, side in sides.items()}
    parts = {name: _parts(side, settings[name], case) for name, side in sides.items()}
    ours, side = settings[OURS], sides[OURS]
    return {
        "model": case.subject.name,
        "batch": case.examples,
        "directions": case.directions,
        "chunk": ours.chunk,
        "threads": ours.threads,
        "route": side.taken[ours] if isinstance(side, Probes) else "",
        "milliseconds": parts,
        "total": {name: sum(found.values()) for name, found in parts.items()},
    }


def _setting(side: Side, case: Case, options: Options) -> Setting:
    search = Search(side, case.rows, case.device, options.budget.candidate)
    return search.best(options.thread_counts)[0].setting


def _parts(side: Side, setting: Setting, case: Case) -> dict[str, float]:
    """Return milliseconds by kind of operation of one evaluation of all rows."""
    with awake(setting.threads):
        work = side.work(setting, case.rows)
        work.run()
        drawn = _Clock(side)
        wall, operations = _traced(work)
    found = dict.fromkeys((*PARTS, OTHER), 0.0)
    for name, milliseconds in operations.items():
        found[_part(name)] += milliseconds
    found["drawing"] = max(found["drawing"], drawn.milliseconds / CALLS)
    found[PYTHON] = max(0.0, wall - sum(found.values()))
    return found


def _traced(work: Work) -> tuple[float, dict[str, float]]:
    """Return wall milliseconds of a call, and those of each operation in it."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        started = time.perf_counter()
        for _ in range(CALLS):
            work.run()
        wall = time.perf_counter() - started
    scale = 1e-3 / CALLS
    operations = {e.key: e.self_cpu_time_total * scale for e in seen.key_averages()}
    return wall * 1e3 / CALLS, operations


def _part(name: str) -> str:
    plain = name.removeprefix("aten::")
    for part, begins in PARTS.items():
        if plain.startswith(begins):
            return part
    return OTHER


class _Clock:
    """Add up the time that probes draw directions for."""

    def __init__(self, side: Side) -> None:
        self.milliseconds = 0.0
        if isinstance(side, Probes) and side.last is not None:
            drawing = side.last.drawing
            self._draw = drawing.deltas
            vars(drawing)["deltas"] = self._timed

    def _timed(self, *args: Any) -> Any:
        started = time.perf_counter()
        found = self._draw(*args)
        self.milliseconds += 1e3 * (time.perf_counter() - started)
        return found
