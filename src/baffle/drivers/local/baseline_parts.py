"""The clients and the server of a baseline's run, made from settings and task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baffle.backends.torch.examples import arguments, cloned
from baffle.baselines import CLIENTS, Answer, Baseline, Knobs, Work, row_of
from baffle.baselines.base import EACH_EPOCH, Batch
from baffle.baselines.problem import Problem
from baffle.baselines.server import Server
from baffle.cohort import cohort_size
from baffle.config import Settings
from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.subset import draw_subset
from baffle.drivers.build import update_spec
from baffle.drivers.local.roster import simulated_secret
from baffle.drivers.local.task import Task
from baffle.protocol.client import client_key
from baffle.updates import TrainState

NO_RUN = bytes(16)  # a baseline has no genesis, so its clients' keys come from the run key alone


@dataclass(frozen=True)
class Clients:
    """All clients of a run; holds none of them.

    Args:
        settings: of the run.
        task: model, loss, data.
        baseline: what each computes.
        problem: the model as a function of one vector.
    """

    settings: Settings
    task: Task
    baseline: Baseline
    problem: Problem

    @staticmethod
    def of(settings: Settings, task: Task) -> Clients:
        """Return the clients of a run."""
        baseline = row_of(settings.algorithm).make(knobs_of(settings))
        return Clients(settings, task, baseline, Problem(task.model, task.loss, _call))

    def answers(self, state: TrainState, numbers: Sequence[int], step_size: float) -> list[Answer]:
        """Return the answers of these clients to a round."""
        weights = self.problem.joined(state.weights)
        return [
            self.baseline.client(
                self.problem,
                Work(
                    weights,
                    partial(self.batch, int(number), state.round),
                    partial(self.generator, int(number), state.round),
                    step_size,
                ),
            )
            for number in numbers
        ]

    def batch(self, number: int, round: int, step: int) -> Batch:
        """Return the examples of a local step, a function of (key, client, round, step)."""
        rows = self.task.rows[number]
        size = min(self.settings.probe.batch or len(rows), len(rows))
        stream = Stream(self._key(number), Purpose.BATCH, round, step)
        inputs, targets = self.task.train.batch(rows[draw_subset(stream, len(rows), size)])
        return cloned(inputs), targets

    def generator(self, number: int, round: int, step: int) -> torch.Generator:
        """Return a generator of a client's own directions."""
        words = Stream(self._key(number), Purpose.DIRECTION, round, step).words(0, 2)[0]
        return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)

    def _key(self, number: int) -> int:
        return client_key(simulated_secret(self.settings.key, number), NO_RUN)

    def weight(self, number: int) -> float:
        """Return what a client's answer counts."""
        f = self.settings.federation
        examples = len(self.task.rows[number])
        return 1.0 if f.weighting == "uniform" else float(min(examples, f.weight_cap))

    def named(self, vector: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return a vector by tensor."""
        split = self.problem.split(torch.from_numpy(vector))
        return {name: part.numpy() for name, part in split.items()}

    def figures(self) -> dict[str, Any]:
        """Return what a row says of how answers are made."""
        row, probe = row_of(self.settings.algorithm), self.settings.probe
        found: dict[str, Any] = {"estimator": row.estimator}
        if row.directions:
            found["num_directions"] = probe.num_directions
        return found | ({"radius": probe.radius} if row.radius else {})


def knobs_of(settings: Settings) -> Knobs:
    """Return the settings that a baseline looks at."""
    p = settings.probe
    radius = math.nan if isinstance(p.radius, str) else p.radius
    return Knobs(p.num_directions, p.num_local_steps, radius, p.directions)


def server_of(settings: Settings, task: Task) -> Server:
    """Return the server of a run."""
    row = row_of(settings.algorithm)
    adds = row.steps == CLIENTS
    every = epoch_rounds(settings, task) if row.average == EACH_EPOCH else 1
    return Server(update_spec(settings), adds, every)


def epoch_rounds(settings: Settings, task: Task) -> int:
    """Return the rounds in which a client that is always asked sees as many examples as it has.

    The mean client's: every client's size counts.
    """
    sizes = [len(task.rows[number]) for number in range(len(task.rows))]
    mean, p = sum(sizes) / len(sizes), settings.probe
    seen = (p.batch or mean) * p.num_local_steps
    return max(1, math.ceil(mean / seen))


def cohort_of(settings: Settings) -> int:
    """Return how many clients a round asks."""
    f = settings.federation
    return cohort_size(f.clients, f.participation, f.cohort)


def _call(module: nn.Module, inputs: Any) -> Any:
    args, kwargs = arguments(inputs)
    return module(*args, **kwargs)
