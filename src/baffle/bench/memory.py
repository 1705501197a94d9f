"""Peak resident memory of probes, of plain inference and of training steps, in fresh processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from baffle.bench.machine import cores
from baffle.errors import BaffleError, ConfigError

BASE = "inference"
WAYS = (
    "imports",
    "imports_ours",
    BASE,
    "ours_chunk_1",
    "ours",
    "backward",
    "checkpointed",
)
Say = Callable[[str], None]


class ProcessFailed(BaffleError):
    """A measuring process ended with an error."""


@dataclass(frozen=True)
class MemoryOptions:
    """How to measure.

    Args:
        directions: K.
        repeats: processes a figure; their median counts.
        threads: of each process; 0 for all cores.

    Raises:
        ConfigError: a number is out of range.
    """

    directions: int = 32
    repeats: int = 3
    threads: int = 0

    def __post_init__(self) -> None:
        for name, low in {"directions": 1, "repeats": 1, "threads": 0}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"--{name} must be at least {low}, got {getattr(self, name)}")


def memory(
    cases: Sequence[tuple[str, int]], options: MemoryOptions, say: Say = lambda text: None
) -> Iterator[dict[str, Any]]:
    """Yield one row a case.

    Args:
        cases: names of subjects, and examples a batch.
        options: how.
        say: told what is going on.

    Returns:
        Rows as JSON: `peak_mib` by way, medians; `ratio` of those that compute, over plain
        inference at the same batch; `spread_mib`, the largest peak less the smallest. `imports`
        is torch with the modules' definitions, `imports_ours` also what a probe loads.

    Raises:
        ProcessFailed: a measuring process ended with an error.
    """
    for name, examples in cases:
        peaks: dict[str, list[float]] = {way: [] for way in WAYS}
        for repeat in range(options.repeats):
            for way in WAYS:
                say(f"{name}, {examples} examples: {way}, {repeat + 1} of {options.repeats}")
                peaks[way].append(_peak(way, name, examples, options))
        yield _row(name, examples, options, peaks)


def _row(
    name: str, examples: int, options: MemoryOptions, peaks: dict[str, list[float]]
) -> dict[str, Any]:
    median = {way: statistics.median(values) for way, values in peaks.items()}
    computing = [way for way in WAYS if not way.startswith("imports") and way != BASE]
    return {
        "model": name,
        "batch": examples,
        "directions": options.directions,
        "threads": options.threads or cores(),
        "peak_mib": median,
        "ratio": {way: median[way] / median[BASE] for way in computing},
        "spread_mib": {way: max(values) - min(values) for way, values in peaks.items()},
        "repeats": options.repeats,
    }


def _peak(way: str, name: str, examples: int, options: MemoryOptions) -> float:
    return float(in_process(way, name, examples, options)["peak_mib"])


def in_process(way: str, name: str, examples: int, options: MemoryOptions) -> dict[str, Any]:
    """Return what a fresh process says of itself, see resident.py.

    Raises:
        ProcessFailed: it ended with an error.
    """
    given = [way, name, examples, options.directions, options.threads or cores()]
    command = [sys.executable, "-m", "baffle.bench.resident", *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProcessFailed(f"{name}, {way}: the measuring process failed: {last}")
    return json.loads(done.stdout.splitlines()[-1])
