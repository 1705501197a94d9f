"""Predicted against measured: costs of every way, and the choice that each makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from baffle.bench.advise.costs import MIB, Cost, Measured, cost_of, measured_of
from baffle.bench.advise.device import Device
from baffle.bench.advise.learning import (
    LEAST_ROUNDS,
    Federation,
    Schedule,
    probing_schedule,
    training_examples,
)
from baffle.bench.advise.rule import NEAR, advise
from experiments.advice.cells import WAYS, Case, Cell, local_steps

WITHIN = 0.25
OWN = "memory beside the runtime"
Lines = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Judged:
    """A way in a case: what was predicted of a round, and what one took.

    Args:
        cell: which.
        predicted: seconds, bytes and memory from the short measurement.
        found: the same of whole rounds.
        possible: whether the model has parts to compute twice.
    """

    cell: Cell
    predicted: Cost
    found: Cost
    possible: bool

    def ratios(self) -> dict[str, float]:
        """Return predicted over measured: seconds a round, bytes up and down, memory."""
        a, b = self.predicted, self.found
        runtime = a.measured.runtime
        return {
            "seconds": a.seconds / b.seconds,
            "up": a.up / b.up,
            "down": a.down / b.down,
            "memory": a.memory / b.memory,
            OWN: (a.memory - runtime) / (b.memory - runtime),
        }


def device_of(case: Case) -> Device:
    """Return the case's device: this machine, with less memory and a slower link."""
    return Device(case.memory * MIB, 1.0, case.up, case.down, case.inference_only)


def plan_of(case: Case, measured: Measured) -> Schedule:
    """Return how a client of the case takes part."""
    federation = federation_of(case)
    if measured.probes:
        return probing_schedule(federation, measured.dimension, case.directions, case.batch)
    steps = local_steps(case)
    rounds = training_examples(federation) / (federation.asked * steps * case.batch)
    return Schedule(max(LEAST_ROUNDS, round(rounds)), steps, case.batch)


def federation_of(case: Case) -> Federation:
    """Return who takes part: everybody, every round."""
    return Federation(case.clients, 1.0, case.examples)


def judged(case: Case, lines: Lines) -> list[Judged]:
    """Return the case's ways that were measured."""
    cells = [Cell(case, way) for way in WAYS]
    return [_judged(cell, lines[cell.id]["summary"]) for cell in cells if cell.id in lines]


def _judged(cell: Cell, summary: Mapping[str, Any]) -> Judged:
    case, short = cell.case, measured_of(summary["short"])
    predicted = cost_of(short, plan_of(case, short), federation_of(case), device_of(case))
    return Judged(cell, predicted, _found(case, predicted, summary["whole"]), short.possible)


def _found(case: Case, predicted: Cost, whole: Mapping[str, Any]) -> Cost:
    """Return a cost from whole rounds; as many of them as was predicted."""
    seconds = whole["points"][0][1] if whole["points"] else 0.0
    on, memory = device_of(case), whole["peak_mib"] * MIB
    each = seconds + whole["up"] / on.up + whole["down"] / on.down
    hours = predicted.schedule.rounds * each / 3600
    changed = {"seconds": seconds, "up": whole["up"], "down": whole["down"]}
    return replace(predicted, **changed, memory=memory, hours=hours)


@dataclass(frozen=True)
class Choice:
    """What was advised in a case, and what whole rounds say.

    Args:
        advised, best: ways; None for none.
        right: whether they are the same, or the advised one fits and is within a tenth in hours.
    """

    advised: str | None
    best: str | None
    right: bool


def choice(case: Case, ways: Sequence[Judged], lines: Lines) -> Choice:
    """Return the choices."""
    short = [measured_of(lines[w.cell.id]["summary"]["short"]) for w in ways]
    found = advise(short, lambda m: plan_of(case, m), federation_of(case), device_of(case))
    advised = found.best.cost.measured.way if found.best else None
    fitting = {w.cell.way: w.found.hours for w in ways if _fits(case, w)}
    least = min(fitting.values(), default=0.0)
    near = [way for way, hours in fitting.items() if hours <= (1 + NEAR) * least]
    memory = {w.cell.way: w.found.memory for w in ways}
    best = min(near, key=lambda way: memory[way], default=None)
    return Choice(advised, best, advised == best or advised in near)


def _fits(case: Case, way: Judged) -> bool:
    if not way.possible or (case.inference_only and not way.predicted.measured.probes):
        return False
    return way.found.memory <= case.memory * MIB
