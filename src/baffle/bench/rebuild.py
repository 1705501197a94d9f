"""Seconds of a rebuild, beside the usual loop that draws Gaussian noise again from a seed."""

from __future__ import annotations

import math
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from baffle.backends.torch.ops import TorchOps
from baffle.bench.machine import cores
from baffle.bench.options import require_device
from baffle.bench.sides.work import Work
from baffle.bench.timing import Timed, interleaved
from baffle.directions import ModelSignature, TensorSpec, make_kind
from baffle.errors import ConfigError
from baffle.updates import NUMPY, Ops
from baffle.updates.rebuild import Sums, estimate
from baffle.updates.state import Slot

Say = Callable[[str], None]
LOOP = "loop"
LOOP_DIRECTIONS = 32  # most that the loop is timed on: its cost is proportional to them
KEY = 7


@dataclass(frozen=True)
class Rebuild:
    """What is rebuilt.

    Args:
        kind: a row of `baffle.directions.KINDS`.
        directions: K.
        bits: of the summed integers; their sum decides how wide the arithmetic must be.
    """

    kind: str
    directions: int
    bits: int = 16


CASES = (
    Rebuild("rank_one", 32),
    Rebuild("rank_one", 32, bits=21),
    Rebuild("rademacher", 32),
    Rebuild("gaussian", 32),
    Rebuild("rank_one", 4096),
)


@dataclass(frozen=True)
class RebuildOptions:
    """How to measure.

    Args:
        layers, width: the model, so many square matrices with biases; 3.5 M weights by default.
        repeats: of which the median counts.
        threads: of both sides; 0 for all cores.
        device: of torch's side.
        sample: seconds that a sample takes at least, by calling quick work several times.

    Raises:
        ConfigError: a number is out of range, or torch has no such device.
    """

    layers: int = 6
    width: int = 768
    repeats: int = 9
    threads: int = 1
    device: str = "cpu"
    sample: float = 0.1
    cases: Sequence[Rebuild] = field(default=CASES)

    def __post_init__(self) -> None:
        for name, low in {"layers": 1, "width": 1, "repeats": 1, "threads": 0}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"--{name} must be at least {low}, got {getattr(self, name)}")
        require_device(self.device)

    @property
    def signature(self) -> ModelSignature:
        """The model's tensors."""
        shapes = {"weight": (self.width, self.width), "bias": (self.width,)}
        return ModelSignature(
            tuple(
                TensorSpec(f"{i}.{name}", shape)
                for i in range(self.layers)
                for name, shape in shapes.items()
            )
        )


def rebuild(options: RebuildOptions, say: Say = lambda text: None) -> Iterator[dict[str, Any]]:
    """Yield a row for every case and library, both sides interleaved and at the same threads.

    Returns:
        Rows as JSON: kind, bits, library, device, weights, directions, threads; `seconds` and
        `gaussian_loop_seconds`, medians; `ratio`, the second over the first; the loop is timed on
        `gaussian_loop_directions` and its seconds are scaled to K. `temporary_mib`: the most that
        was allocated beside the estimate, of NumPy alone. `same_bits`: whether torch's estimate is
        NumPy's, bit for bit.
    """
    threads = options.threads or cores()
    for case in options.cases:
        say(f"rebuild of {case.kind}, K = {case.directions}, {case.bits} bits")
        with threadpool_limits(threads, user_api="blas"):
            yield from _rows(case, options, threads)


def _rows(case: Rebuild, options: RebuildOptions, threads: int) -> Iterator[dict[str, Any]]:
    libraries: dict[str, Ops] = {"numpy": NUMPY, "torch": TorchOps(options.device)}
    calls = {name: _estimating(case, options, ops) for name, ops in libraries.items()}
    looped = min(case.directions, LOOP_DIRECTIONS)
    works = {LOOP: gaussian_loop(options.signature.dimension, looped), **calls}
    sides = {
        name: Timed.of(Work(1, run), threads, _seconds(run), options.sample)
        for name, run in works.items()
    }
    rates = interleaved(sides, options.device, options.repeats)
    seconds = {name: 1 / statistics.median(values) for name, values in rates.items()}
    loop = seconds[LOOP] * case.directions / looped
    for name in libraries:
        yield {
            "kind": case.kind,
            "bits": case.bits,
            "library": name,
            "device": options.device if name == "torch" else "cpu",
            "weights": options.signature.dimension,
            "directions": case.directions,
            "threads": threads,
            "seconds": seconds[name],
            "gaussian_loop_seconds": loop,
            "gaussian_loop_directions": looped,
            "ratio": loop / seconds[name],
            "temporary_mib": temporary_mib(calls[name]) if name == "numpy" else None,
            "same_bits": same_bits(calls["numpy"](), calls[name]()),
            "repeats": options.repeats,
        }


def _estimating(case: Rebuild, options: RebuildOptions, ops: Ops) -> Callable[[], Slot]:
    """Return a call that makes an estimate from integers of so many bits, drawing included."""
    limit = 2 ** (case.bits - 1) - 1
    drawn = np.random.default_rng(0).integers(-limit, limit, (1, case.directions), endpoint=True)
    signature, kind = options.signature, make_kind(case.kind, KEY)
    sums = Sums(drawn, 1, -9, (0,) * len(signature.trained))
    weights = {t.name: np.ones(t.shape, np.float32) for _, t in signature.trained}
    return lambda: estimate(kind, signature, KEY, 0, 0, sums, weights, ops)


def gaussian_loop(weights: int, directions: int) -> Callable[[], torch.Tensor]:
    """Return the usual way: re-seed, draw noise of the model's size, add it; K times."""
    total, generator = torch.zeros(weights), torch.Generator()
    scalars = np.random.default_rng(0).standard_normal(directions).tolist()

    def run() -> torch.Tensor:
        total.zero_()
        for seed, scalar in enumerate(scalars):
            generator.manual_seed(seed)
            total.add_(torch.randn(weights, generator=generator), alpha=scalar)
        return total

    return run


def _seconds(run: Callable[[], object]) -> float:
    """Return the seconds of a second call, which finds memory and tables in place."""
    run()
    started = time.perf_counter()
    run()
    return max(time.perf_counter() - started, 1e-6)


def temporary_mib(run: Callable[[], Slot]) -> float:
    """Return the most MiB that a rebuild in NumPy held beside the estimate it returned."""
    tracemalloc.start()
    try:
        found = run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return (peak - sum(math.prod(a.shape) * 4 for a in found.values())) / 2**20


def same_bits(expected: Slot, found: Slot) -> bool:
    """Say whether two estimates, of any libraries, are the same bit for bit."""
    return all(
        expected[name].tobytes() == torch.as_tensor(found[name]).cpu().numpy().tobytes()
        for name in expected
    )
