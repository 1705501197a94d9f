"""A baseline's run: data, cohorts, faults, evaluation and folder of any run, and no ledger."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.algorithms import SCHEDULES
from baffle.backends.torch import initial_weights, load_weights
from baffle.backends.torch.threads import using_threads
from baffle.baselines.base import Answer
from baffle.baselines.server import Server, weighted_mean
from baffle.cohort import COHORTS
from baffle.config import Settings, to_toml
from baffle.drivers.local.baseline_parts import Clients, cohort_of, server_of
from baffle.drivers.local.baseline_rules import require_plain
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.metrics import MetricsLog, Row, Totals
from baffle.drivers.local.session import CALIBRATION, CONFIG
from baffle.drivers.local.task import Task
from baffle.drivers.local.testing import is_tested, tested
from baffle.drivers.local.traffic import Traffic
from baffle.errors import LedgerError
from baffle.updates import TrainState
from baffle.updates.state import EMA

FLOAT_BYTES = 4


@dataclass
class BaselineSession:
    """A baseline's run in progress.

    Args:
        settings: complete.
        task: model, loss, data.
        folder: run folder.
        clients: what they compute.
        server: what becomes of the answers.
        state: where training stands.
        traffic: byte counts.
        log: metrics.
        totals: so far.
    """

    settings: Settings
    task: Task
    folder: Path
    clients: Clients
    server: Server
    state: TrainState
    traffic: Traffic
    log: MetricsLog
    totals: Totals

    @property
    def dimension(self) -> int:
        """Entries of the weights."""
        return self.clients.problem.dimension

    @property
    def cohort(self) -> int:
        """Clients asked each round."""
        return cohort_of(self.settings)

    @property
    def run_id(self) -> bytes:
        """Sixteen bytes, a hash over the settings."""
        text = self.settings.model_dump_json().encode()
        return hashlib.sha256(b"baffle baseline 1\n" + text).digest()[:16]

    def run(
        self,
        on_round: Callable[[Row], None] = lambda row: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Run the rounds that are left; returns whether all are done.

        Args:
            on_round: called with each round's row.
            stop: asked at each round's border.
        """
        while self.state.round < self.settings.rounds and not stop():
            with using_threads(self.settings.engine.threads):
                row = self._round()
            if is_tested(self.settings, self.state.round):
                row |= self.evaluate()
            self.log.add(row)
            on_round(row)
        self.log.write_table()
        return self.state.round >= self.settings.rounds

    def _round(self) -> Row:
        started = time.perf_counter()
        settings, number = self.settings, self.state.round
        f = settings.federation
        asked = COHORTS[f.cohorts](settings.key, number, f.clients, self.cohort)
        self.traffic.ask(number, asked, 0)
        on_time, late = Faults(settings.key, f.dropout, f.slow).split(number, asked)
        step_size = float(settings.update.step_size) * SCHEDULES[settings.update.schedule](
            number, settings.rounds
        )
        answers = self.clients.answers(self.state, [*on_time, *late], step_size)
        counted = answers[: len(on_time)]
        abandoned = len(counted) < f.min_reports
        if abandoned:
            self.state = TrainState(number + 1, self.state.slots, self.state.updates)
        else:
            weights = [self.clients.weight(int(n)) for n in on_time]
            mean = weighted_mean([a.vector.numpy() for a in counted], weights)
            self.state = self.server.advance(self.state, self.clients.named(mean), step_size)
        self._count(answers, counted)
        self.totals.seconds += (took := time.perf_counter() - started)
        return {
            "round": number + 1,
            "loss": _mean([a.loss for a in counted]),
            "reports": len(counted),
            "abandoned": abandoned,
            "asked": len(asked),
            "late": len(late),
            "step_size": step_size,
            "round_seconds": took,
            **self.clients.figures(),
            **self._totals(answers),
        }

    def _count(self, answers: Sequence[Answer], counted: Sequence[Answer]) -> None:
        """Add a round's costs; those of late answers are spent as well."""
        totals = self.totals
        totals.probes += sum(a.probes for a in answers)
        totals.example_evaluations += sum(a.example_evaluations for a in answers)
        totals.gradient_examples += sum(a.gradient_examples for a in answers)
        for answer in answers:
            self.traffic.report(FLOAT_BYTES * answer.floats_up)
        told = sum(a.floats_up for a in counted) if self.clients.baseline.follows else math.inf
        self.traffic.close(FLOAT_BYTES * int(min(told, self.dimension)))

    def _totals(self, answers: Sequence[Answer]) -> dict[str, Any]:
        totals = self.totals
        return {
            "dimension": self.dimension,
            "bytes_up": self.traffic.up,
            "bytes_down": self.traffic.down,
            "bytes_up_per_report": FLOAT_BYTES * max((a.floats_up for a in answers), default=0),
            "probes": totals.probes,
            "example_evaluations": totals.example_evaluations,
            "gradient_examples": totals.gradient_examples,
            "seconds": totals.seconds,
            "digest": self.state.digest().hex(),
        }

    def begin_at(self, cost: Mapping[str, float]) -> None:
        """Begin the totals with what was spent before round 0."""
        (self.folder / CALIBRATION).write_text(json.dumps(dict(cost)), encoding="utf-8")
        totals = self.totals
        totals.probes += int(cost["probes"])
        totals.example_evaluations += int(cost["example_evaluations"])
        totals.gradient_examples += int(cost["gradient_examples"])
        totals.seconds += cost["seconds"]
        self.traffic.up += int(cost["bytes_up"])
        self.traffic.down += int(cost["bytes_down"])

    def evaluate(self) -> dict[str, Any]:
        """Return test loss and accuracy of the averaged weights; empty without a test set."""
        return tested(self.task, self.served())

    def served(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights to evaluate and to ship: averaged, if the run averages."""
        return {name: np.asarray(array) for name, array in self.server.served(self.state).items()}

    def load_trained(self) -> None:
        """Put the trained weights into the task's model."""
        load_weights(self.task.model, self.served())

    def close(self) -> None:
        """Nothing is held open."""


def start_baseline(settings: Settings, task: Task, folder: Path) -> BaselineSession:
    """Begin a baseline's run in a new folder.

    Raises:
        ConfigError: settings that do not go with a baseline.
        ModelError: nothing to train, or not in float32.
        LedgerError: the folder holds a run already.
    """
    require_plain(settings)
    if (folder / CONFIG).exists():
        raise LedgerError(f"{folder} holds a run already: choose another folder")
    clients, server = Clients.of(settings, task), server_of(settings, task)
    state = server.start(initial_weights(task.model))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(to_toml(settings), encoding="utf-8")
    slots = state.numpy()
    if not clients.baseline.follows:
        slots = {"weights": slots["weights"]}
    sent = sum(a.nbytes for name, slot in slots.items() if name != EMA for a in slot.values())
    return BaselineSession(
        settings, task, folder, clients, server, state, Traffic(sent), MetricsLog(folder), Totals()
    )


def _mean(losses: Sequence[float]) -> float:
    return sum(losses) / len(losses) if losses else math.nan


def choose_threads(settings: Settings, task: Task, candidates: Sequence[int]) -> Settings:
    """Return the settings with the number of threads that made one client's answer soonest here.

    It is written into the run's configuration, since another one may change last bits.
    """
    if settings.engine.threads:
        return settings
    require_plain(settings)
    clients = Clients.of(settings, task)
    state = server_of(settings, task).start(initial_weights(task.model))

    def seconds(threads: int) -> float:
        with using_threads(threads):
            return min(_timed(lambda: clients.answers(state, [0], 1e-6)) for _ in range(2))

    best = min(candidates, key=seconds)
    engine = settings.engine.model_copy(update={"threads": best})
    return settings.model_copy(update={"engine": engine})


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
