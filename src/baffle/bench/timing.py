"""Seconds that work takes: threads set before, the device waited for, the order shuffled."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch

from baffle.backends.torch.threads import using_threads
from baffle.bench.sides.work import Work

PARALLEL = 2**17  # entries that torch certainly shares out among its threads
SHORT = 0.1  # seconds below which a call is warmed by another one
ORDER_SEED = 0
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Timed:
    """Work at a number of threads, called so often that a sample is long enough to be timed."""

    work: Work
    threads: int
    calls: int
    seconds: float

    @staticmethod
    def of(work: Work, threads: int, seconds: float, sample_seconds: float) -> Timed:
        """Return it for work that takes about `seconds` a call."""
        return Timed(work, threads, max(1, math.ceil(sample_seconds / seconds)), seconds)


@contextmanager
def awake(threads: int) -> Iterator[None]:
    """Compute with this many threads inside the block, all of them started before it."""
    with using_threads(threads):
        torch.ones(PARALLEL).add_(1)
        yield


def seconds_of(work: Work, calls: int, device: str) -> float:
    """Return seconds a call, the mean over consecutive calls."""
    _wait(device)
    started = time.perf_counter()
    for _ in range(calls):
        work.run()
    _wait(device)
    return (time.perf_counter() - started) / calls


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def interleaved(
    sides: Mapping[Name, Timed],
    device: str,
    repeats: int,
    enough: Callable[[int], bool] = lambda done: False,
) -> dict[Name, list[float]]:
    """Return rows a second of every side, one number a repeat.

    Each repeat times every side once, in an order drawn anew, so that a slow spell of the machine
    falls on all alike.

    Args:
        sides: what to time.
        device: to wait for.
        repeats: at most so many.
        enough: repeats done to whether to stop.
    """
    order, shuffle = list(sides), random.Random(ORDER_SEED)
    rates: dict[Name, list[float]] = {name: [] for name in sides}
    for done in range(repeats):
        if enough(done):
            break
        shuffle.shuffle(order)
        for name in order:
            rates[name].append(_sample(sides[name], device))
    return rates


def _sample(side: Timed, device: str) -> float:
    with awake(side.threads):
        if side.seconds < SHORT:
            side.work.run()
        return side.work.rows / seconds_of(side.work, side.calls, device)


def spread(values: list[float]) -> float:
    """Return the distance between the quartiles over the median; 0 of a single value.

    Example:
        >>> spread([9.0, 10.0, 10.0, 10.0, 11.0])
        0.0
    """
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle
