"""From a question to an advice: what to measure, in which processes, and the rule on top."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from baffle.bench.advise.costs import Measured, measured_of
from baffle.bench.advise.device import Device
from baffle.bench.advise.given import Given, Named, make
from baffle.bench.advise.here import in_this_process
from baffle.bench.advise.learning import (
    Federation,
    Schedule,
    picking,
    probing_schedule,
    training_schedule,
)
from baffle.bench.advise.processes import trials
from baffle.bench.advise.rule import Advice, advise
from baffle.bench.advise.trial import CHECKPOINTED, PROBES, PROBES_LOW, TRAINING, Trial
from baffle.errors import ConfigError

WAYS = (TRAINING, CHECKPOINTED, PROBES, PROBES_LOW)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        federation: who takes part.
        device: what a client has.
        directions, batch: K and B of probes; 0 for what theory says, see `probing_schedule`.
        training_batch: examples of a training step.
        seconds: to measure each way for, about; its process takes some more.
        threads: torch's, here and on the device.

    Raises:
        ConfigError: a number is out of range.
    """

    federation: Federation = field(default_factory=Federation)
    device: Device = field(default_factory=Device)
    directions: int = 0
    batch: int = 0
    training_batch: int = 32
    seconds: float = 2.0
    threads: int = 1

    def __post_init__(self) -> None:
        low = {"directions": 0, "batch": 0, "training_batch": 1, "seconds": 0, "threads": 1}
        for name, least in low.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def schedule(self, way: str, dimension: int) -> Schedule:
        """Return how a client takes part in a way."""
        if way in (TRAINING, CHECKPOINTED):
            return training_schedule(self.federation, self.training_batch)
        probing = probing_schedule(self.federation, dimension, self.directions, self.batch)
        return picking(probing, self.federation)

    def plan(self, measured: Measured) -> Schedule:
        """Return the same for what was measured."""
        return self.schedule(measured.way, measured.dimension)

    def answer(self, measured: Sequence[Measured]) -> Advice:
        """Return the advice, from figures."""
        return advise(measured, self.plan, self.federation, self.device)


def ask(names: Sequence[Named], question: Question, say: Say = lambda text: None) -> Advice:
    """Return the advice on a model that other processes can make.

    Args:
        names: the model, with each trained part to consider.
        question: federation, device, and how to measure.
        say: told what is going on.

    Raises:
        ModelError, ConfigError, DataError: of the model or its examples.
        ProcessFailed: a measuring process ended with an error.
    """
    sizes = {named: make(named, 1).dimension for named in names}  # and its errors, here
    found = []
    with trials() as running:
        for (named, dimension), way in itertools.product(sizes.items(), WAYS):
            say(f"{named.model}, {named.trained}: measuring {way}")
            found.append(running.measure(_trial(named, way, dimension, question)))
    return question.answer([measured_of(each) for each in found])


def ask_here(given: Given, question: Question, say: Say = lambda text: None) -> Advice:
    """Return the advice on a module that is in this process.

    Args:
        given: with examples; they are repeated where a batch needs more.
        question, say: as for `ask`.
    """
    found: list[dict[str, Any]] = []
    for way in WAYS:
        say(f"measuring {way}")
        trial = _trial(Named("given"), way, given.dimension, question)
        found.append(in_this_process(trial, given.of_size(trial.examples)))
    return question.answer([measured_of(each) for each in found])


def _trial(named: Named, way: str, dimension: int, question: Question) -> Trial:
    s = question.schedule(way, dimension)
    clients = 1  # reports beyond its own cost a client nothing
    how = (question.seconds, question.threads, clients)
    return Trial(named, way, s.batch, s.units, *how, candidates=s.candidates)
