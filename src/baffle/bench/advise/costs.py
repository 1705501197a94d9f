"""From what was measured here to what a round costs on a device: numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baffle.bench.advise.device import Device
from baffle.bench.advise.learning import Federation, Schedule
from baffle.protocol.codec import report_size

MIB = 2**20
BITS = 16
PLAN, OUTCOME = 122, 95  # bytes of a plan, and of an outcome without its sums
PAIRS = 8  # antithetic directions of a run, each a probe more
FLOAT = 4


@dataclass(frozen=True)
class Measured:
    """One way to take part, as measured here.

    Args:
        way: a row of `trial.WAYS`.
        trained: which part of the model.
        dimension: d, trained weights.
        fixed, unit: seconds a round, and a probe or a step on B examples; what a client looks at
            before it picks counts as the probes of as many examples.
        own: bytes at the peak beside the runtime.
        runtime: bytes before a model is there.
        possible: False where the model has no parts to compute twice.
    """

    way: str
    trained: str
    dimension: int
    fixed: float
    unit: float
    own: float
    runtime: float
    possible: bool = True

    @property
    def probes(self) -> bool:
        """Whether it is by probes."""
        return self.way.startswith("baffle")


def measured_of(found: Mapping[str, Any]) -> Measured:
    """Return a trial's figures: a straight line through its one or two measurements.

    Args:
        found: as `trial.measure` returns it.

    Example:
        >>> trial = {"way": "baffle", "trained": "all", "dimension": 9, "parts": None,
        ...          "peak_mib": 300.0, "runtime_mib": 250.0,
        ...          "points": [[10, 2.0, 1.0], [20, 3.0, 1.0]]}
        >>> measured_of(trial).unit, measured_of(trial).fixed
        (0.1, 1.0)
    """
    fixed, unit = _line(found["points"])
    own = (found["peak_mib"] - found["runtime_mib"]) * MIB
    runtime, possible = found["runtime_mib"] * MIB, found["parts"] != 0
    return Measured(
        found["way"], found["trained"], found["dimension"], fixed, unit, own, runtime, possible
    )


def _line(points: list[list[float]]) -> tuple[float, float]:
    if not points:
        return 0.0, 0.0
    units, whole, rest = points[-1]
    if len(points) == 2:
        few, first, _ = points[0]
        unit = (whole - first) / (units - few)
        if 0 < unit <= whole / units:
            return whole - unit * units, unit
    return rest, (whole - rest) / units


@dataclass(frozen=True)
class Cost:
    """What a way to take part costs a client on its device.

    Args:
        measured: here.
        schedule: rounds, K or H, and B.
        seconds: of computing, a round.
        up, down: bytes a round.
        memory: bytes at the peak, the runtime included.
        hours: of computing and sending, all rounds that a client takes part in.
    """

    measured: Measured
    schedule: Schedule
    seconds: float
    up: float
    down: float
    memory: float
    hours: float


def cost_of(measured: Measured, schedule: Schedule, federation: Federation, on: Device) -> Cost:
    """Return the cost of a way on a device."""
    s, probes = schedule, measured.probes
    units = probes_of(s) if probes else s.units
    seconds = (measured.fixed + measured.unit * units) / on.speed
    up, down = _probing_bytes(s, federation, measured) if probes else _training_bytes(measured)
    taking_part = s.rounds * federation.asked / federation.clients
    hours = taking_part * (seconds + up / on.up + down / on.down) / 3600
    runtime = measured.runtime if on.runtime is None else on.runtime
    return Cost(measured, s, seconds, up, down, measured.own + runtime, hours)


def probes_of(s: Schedule) -> float:
    """Return the probes of B examples that a round costs a client, see `protocol.evaluations`.

    Example:
        >>> probes_of(Schedule(1, 64, 8)), probes_of(Schedule(1, 64, 8, candidates=32))
        (72.0, 76.0)
    """
    return s.units + min(PAIRS, max(2, s.units // 4)) + s.candidates / s.batch


def _training_bytes(measured: Measured) -> tuple[float, float]:
    """Return 4 bytes a trained weight each way."""
    return FLOAT * measured.dimension, FLOAT * measured.dimension


def _probing_bytes(s: Schedule, federation: Federation, measured: Measured) -> tuple[float, float]:
    """Return a report, and the plan with the outcomes since a client was last asked.

    An integer of a sum of C clients has up to log2 C bits more than a client's; half of that is
    what sums of independent numbers take. A client that missed more than the training state
    weighs, at 16 bytes a trained weight, gets that instead.
    """
    up = report_size(s.units, BITS)
    width = BITS + math.log2(federation.asked) / 2
    missed = federation.clients / federation.asked
    outcomes = missed * (PLAN + OUTCOME + s.units * width / 8)
    return up, min(outcomes, 4 * FLOAT * measured.dimension + PLAN)
