"""A short run by probes, really done: what a model has learned after so many example evaluations.

It is `baffle run` with the algorithm's own choices, but for two things. Rounds take fewer
evaluations: as a whole run has them, a short one would be a dozen rounds, in which nothing is
learned. So B is halved first and then K, until there are LEAST_ROUNDS of them. And the step size is
that of the best of whole short runs, which go up and down by factors of two until both neighbours
are worse. The calibration of a long run judges a step by a few rounds' noisy losses: on the digits,
100,000 evaluations and three keys, it gave one and the same perceptron final losses of 1.17, 1.19
and 0.49, which no ranking survives.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from baffle.backends.torch import evaluate, initial_weights, load_weights
from baffle.backends.torch.threads import using_threads
from baffle.bench.advise.learning import Federation, Schedule, picking
from baffle.config import Settings, resolve
from baffle.config.settings import ProbeSettings
from baffle.data import Dataset, partition
from baffle.data.base import Rows
from baffle.drivers.local.beginning import prepared
from baffle.drivers.local.calibrate import tuning_of
from baffle.drivers.local.task import OWN_TASK, Task, TensorExamples
from baffle.drivers.local.training import Begin
from baffle.errors import ConfigError, ProbeError

EVALUATIONS = 1_000_000
LEAST_ROUNDS, FEWEST_ROUNDS = 100, 40  # wanted, and accepted where K and B are at their least
LEAST_DIRECTIONS = 16
JUDGED = 10_000  # training examples at most that the final loss is taken of
MOST = 6  # runs of a model
Say = Callable[[str], None]


def usual_start() -> float:
    """Return the step size of a model's first run.

    Example:
        >>> usual_start()
        0.04
    """
    return tuning_of(resolve({}).algorithm).start


@dataclass(frozen=True)
class Learned:
    """What a model's short runs came to.

    Args:
        losses: mean training loss of the averaged weights at the end of each, by step size;
            infinite where it diverged.
        schedule: rounds, K and B of each.
        evaluations: examples that one of them ran forward, all clients' together.
    """

    losses: Mapping[float, float]
    schedule: Schedule
    evaluations: int

    @property
    def step_size(self) -> float:
        """That of the least loss."""
        return min(self.losses, key=lambda step: (self.losses[step], step))

    @property
    def loss(self) -> float:
        """The least."""
        return self.losses[self.step_size]

    @property
    def all_evaluations(self) -> int:
        """The same as `evaluations`, of all runs."""
        return self.evaluations * len(self.losses)


@dataclass(frozen=True)
class ShortRun:
    """How every model is trained: the same data, clients, evaluations and key for all.

    Args:
        data: whose train rows are shared out in equal parts, IID; test rows take no part.
        federation: clients, and how many of them are asked.
        evaluations: examples that a run may evaluate, all clients together.
        key: run key.
        start: step size of a model's first run.
        most: runs of a model, each at another step size.
        engine: settings of it; chunk and clients in a pass are measured where it does not say.

    Raises:
        ConfigError: too few evaluations for a run of FEWEST_ROUNDS rounds.
        DataError: fewer rows than clients.
    """

    data: Dataset
    federation: Federation = field(default_factory=Federation)
    evaluations: float = EVALUATIONS
    key: int = 0
    start: float = field(default_factory=usual_start)
    most: int = MOST
    engine: Mapping[str, Any] = field(default_factory=lambda: {"threads": 1})

    def __post_init__(self) -> None:
        _ = self.schedule, self.rows  # said before anything is trained

    @property
    def rows(self) -> Sequence[Rows]:
        """Each client's rows."""
        return partition("iid", self.data, self.federation.clients, self.key)

    @property
    def schedule(self) -> Schedule:
        """Rounds, K and B, which depend on no model."""
        usual = resolve({}).probe
        examples = len(self.data.train_y) // self.federation.clients
        federation = replace(self.federation, examples=max(1, examples))
        return fitting(self.evaluations, usual, federation)

    def settings(self, step: float) -> Settings:
        """Return the settings of a run at a step size."""
        f, s = self.federation, self.schedule
        return resolve(
            OWN_TASK,
            {
                "key": self.key,
                "rounds": s.rounds,
                "federation": {"clients": f.clients, "cohort": f.asked},
                "probe": {"num_directions": s.units, "batch": s.batch, "candidates": "auto"},
                "update": {"step_size": step},
                "engine": dict(self.engine),
                "output": {"evaluate_every": 0, "snapshot_every": 2**31},
            },
        )

    def task(self, model: nn.Module) -> Task:
        """Return what a model learns: to classify the train rows."""
        x, y = torch.from_numpy(self.data.train_x), torch.from_numpy(self.data.train_y)
        loss = nn.functional.cross_entropy
        return Task(model, loss, TensorExamples(x, y), self.rows, None)


def fitting(evaluations: float, usual: ProbeSettings, federation: Federation) -> Schedule:
    """Return K, B and rounds of a run of at most so many evaluations.

    Args:
        evaluations: of all clients together.
        usual: K and B of a long run.
        federation: who takes part.

    Raises:
        ConfigError: even the smallest rounds would be too few.

    Example:
        >>> fitting(300_000, ProbeSettings(num_directions=512, batch=8), Federation(10, 1.0, 6_000))
        Schedule(rounds=111, units=256, batch=1, candidates=4)
    """

    def cost(s: Schedule) -> float:
        """Return a round's evaluations: a number whatever the estimator, see the policy."""
        return federation.asked * ((s.units + usual.pairs) * s.batch + s.candidates)

    s = Schedule(0, usual.num_directions, min(usual.batch, federation.examples))
    s = picking(s, federation)
    while cost(s) * LEAST_ROUNDS > evaluations and (s.batch > 1 or s.units > LEAST_DIRECTIONS):
        units = s.units if s.batch > 1 else max(LEAST_DIRECTIONS, s.units // 2)
        s = picking(Schedule(0, units, max(1, s.batch // 2)), federation)
    if evaluations < FEWEST_ROUNDS * cost(s):
        raise ConfigError(
            f"{evaluations:,.0f} evaluations are too few to learn anything: expected at least "
            f"{math.ceil(FEWEST_ROUNDS * cost(s)):,} for {federation.asked} clients a round"
        )
    return replace(s, rounds=int(evaluations // cost(s)))


def learn(model: nn.Module, run: ShortRun, say: Say = lambda text: None) -> Learned:
    """Train a model at its best step size, and at those around it, from the same start.

    Args:
        model: whose parameters that require gradients are trained; it is left as it is.
        run: how.
        say: told how it goes on.

    Raises:
        BaffleError: the model cannot be trained by probes, or not on these rows.
        ProbeError: its losses at the end are no numbers, at any step size.
    """
    task, losses, spent = run.task(model), {}, [0]
    with using_threads(run.settings(run.start).engine.threads):
        chosen, begin = prepared(run.settings(run.start), task)

        def loss(power: int) -> float:
            step = run.start * 2.0**power
            if step not in losses:
                update = chosen.update.model_copy(update={"step_size": step})
                losses[step], spent[0] = _run(
                    chosen.model_copy(update={"update": update}), task, begin
                )
                say(f"{chosen.rounds} rounds at step size {step:g}: loss {losses[step]:.3g}")
            return losses[step]

        _climb(loss, losses, run.most)
    if not math.isfinite(min(losses.values())):
        tried = ", ".join(f"{step:g}" for step in losses)
        raise ProbeError(f"it diverged: its training loss is no number at step sizes {tried}")
    return Learned(dict(sorted(losses.items())), run.schedule, spent[0])


def _climb(loss: Callable[[int], float], known: Mapping[float, float], most: int) -> None:
    """Ask for losses by power of two, from 0, until both neighbours of the best are worse."""
    best, least = 0, loss(0)
    for direction in (1, -1):
        while len(known) < most and loss(best + direction) < least:
            best += direction
            least = loss(best)


def _run(settings: Settings, task: Task, begin: Begin) -> tuple[float, int]:
    """Return the training loss at the end of a run, and the evaluations of its rounds."""
    initial = initial_weights(task.model)
    with tempfile.TemporaryDirectory(prefix="baffle-advise-") as parent:
        session = begin(settings, task, Path(parent) / "run")
        try:
            session.run()
            loss, _ = evaluate(task.model, session.served(), _judged(task), task.loss)
        finally:
            session.close()
            load_weights(task.model, initial)  # the next run begins where this one did
    spent = int(session.log.rows[-1]["example_evaluations"])
    return (loss if math.isfinite(loss) else math.inf), spent


def _judged(task: Task) -> TensorExamples:
    """Return the examples that the final loss is taken of: all, or some of every client's.

    A client's rows are in random order, so the first ones are drawn.
    """
    each = math.ceil(JUDGED / len(task.rows))
    numbers = np.concatenate([rows[:each] for rows in task.rows])[:JUDGED]
    return TensorExamples(*task.train.batch(numbers))
