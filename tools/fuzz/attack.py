"""One block of inputs to one decoder, and what came of it."""

from __future__ import annotations

import time
import tracemalloc
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tools.fuzz.draws import Draws
from tools.fuzz.target import Case, Target

SLOW_MS = 50.0
DOUBTFUL_MS = 1.0  # above it the clock may have counted another process: measured again
RARELY, OFTEN = 2048, 40  # one input in so many is a large one: while counting, while metering
TINY = 1024  # below it a ratio of memory to length says nothing
SHOWN = 5


@dataclass
class Result:
    """What came of a block.

    Args:
        inputs, accepted, refused: how many.
        honest: valid ones, all of which have to be accepted.
        reasons: refusals by the error's name.
        failures: what went wrong, the first few with their input.
        failed: how many.
        worst_ms: the longest time of one input.
        metered: inputs whose memory was measured, beside the others.
        worst_bytes: most memory above what was held before.
        worst_ratio: the most by the input's length, of inputs of at least 1 KiB.
        seconds: of the processor, but for metering: making inputs, decoding, checking.
    """

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    honest: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    worst_ms: float = 0.0
    metered: int = 0
    worst_bytes: int = 0
    worst_ratio: float = 0.0
    seconds: float = 0.0

    def fail(self, what: str, case: Case) -> None:
        """Note a failure."""
        self.failed += 1
        if len(self.failures) < SHOWN:
            self.failures.append(f"{what}; input: {_shown(case)}")


def _shown(case: Case) -> str:
    data = case.data.hex() if isinstance(case.data, bytes) else repr(case.data)
    return data if len(data) <= 4000 else f"{data[:4000]}… ({case.size} bytes)"


def attack(target: Target, key: tuple[int, ...], inputs: int, metered: int = 0) -> Result:
    """Fire at a decoder.

    Args:
        target: the decoder.
        key: of the inputs; equal keys give equal inputs.
        inputs: how many.
        metered: how many more have their memory measured.
    """
    draws, result = Draws(*key), Result()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target.prepare(draws)
        started = time.thread_time()
        for _ in range(inputs):
            _one(target, target.draw(draws, draws.chance(RARELY)), result)
        result.seconds = time.thread_time() - started
        _meter(target, draws, metered, result)
    return result


def _one(target: Target, case: Case, result: Result) -> None:
    result.inputs += 1
    result.honest += case.honest
    start = time.perf_counter_ns()
    value, problem = tried(target, case)
    took = (time.perf_counter_ns() - start) * 1e-6
    if took > result.worst_ms:
        _note_time(target, case, took, result)
    if problem is None:
        result.accepted += 1
        if (wrong := _wrong(target, case, value)) is not None:
            result.fail(f"accepted although wrong: {wrong}", case)
        return
    result.refused += 1
    result.reasons[type(problem).__name__] += 1
    if not isinstance(problem, target.errors):
        result.fail(f"raised {problem!r:.200}", case)
    elif case.honest:
        result.fail(f"a valid one was refused: {problem}", case)


def _wrong(target: Target, case: Case, value: Any) -> str | None:
    try:
        return target.wrong(case, value)
    except Exception as problem:  # what was accepted cannot even be looked at
        return repr(problem)


def tried(target: Target, case: Case) -> tuple[Any, BaseException | None]:
    """Return what a decoder returned, and what it raised."""
    try:
        return target.decode(case), None
    except Exception as problem:
        return None, problem.with_traceback(None)


def _note_time(target: Target, case: Case, took: float, result: Result) -> None:
    if took > DOUBTFUL_MS:
        took = min(_processor_ms(target, case) for _ in range(4))
    result.worst_ms = max(result.worst_ms, took)
    if took > SLOW_MS:
        result.fail(f"took {took:.0f} ms", case)


def _processor_ms(target: Target, case: Case) -> float:
    start = time.thread_time_ns()
    tried(target, case)
    return (time.thread_time_ns() - start) * 1e-6


def _meter(target: Target, draws: Draws, count: int, result: Result) -> None:
    for _ in range(count):
        case = target.draw(draws, draws.chance(OFTEN))
        peak = peak_of(target, case)
        result.metered += 1
        result.worst_bytes = max(result.worst_bytes, peak)
        if case.size >= TINY:
            result.worst_ratio = max(result.worst_ratio, peak / case.size)
        if peak > target.slope * case.size + target.constant:
            result.fail(f"took {peak} bytes of memory for {case.size}", case)


def peak_of(target: Target, case: Case) -> int:
    """Return the most memory that decoding an input takes, in bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tried(target, case)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
