"""A run from its settings to its folder: start, resume, go on, finish."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.backends.torch import (
    evaluate,
    initial_weights,
    load_weights,
    model_signature,
)
from baffle.cohort import COHORTS, cohort_size
from baffle.config import Settings, resolve, to_toml
from baffle.drivers.build import genesis, policy, server_of, with_noise
from baffle.drivers.local.baseline_rules import require_ledger
from baffle.drivers.local.engine import probe_of
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.federation import Federation, Follower, RoundRecord
from baffle.drivers.local.metrics import MetricsLog, Row, Totals, round_row
from baffle.drivers.local.parts import answers_of, collecting_of, grouping, with_hostile_data
from baffle.drivers.local.roster import Roster
from baffle.drivers.local.task import Task, task_of
from baffle.drivers.local.testing import is_tested, tested
from baffle.drivers.local.traffic import Traffic
from baffle.drivers.privacy import Budget
from baffle.errors import ConfigError, LedgerError
from baffle.ledger import Ledger
from baffle.ledger.replay import Replayed, replay
from baffle.protocol import Genesis, Last, Rules
from baffle.protocol.contribution import noise_variance
from baffle.updates import TrainState
from baffle.updates.state import EMA, WEIGHTS

logger = logging.getLogger(__name__)
CONFIG, CALIBRATION = "config.toml", "calibration.json"
OnRound = Callable[[Row], None]


@dataclass
class Session:
    """A run in progress, with all it needs at hand.

    Args:
        settings: complete.
        task: model, loss, data.
        folder: run folder.
        federation: server, clients, ledger.
        log: metrics.
        totals: so far.
        dimension: d, entries that the directions move.
        budget: what is spent of the clients' privacy.
        genesis: of the run.
    """

    settings: Settings
    task: Task
    folder: Path
    federation: Federation
    log: MetricsLog
    totals: Totals
    dimension: int
    budget: Budget
    genesis: Genesis

    @property
    def state(self) -> TrainState:
        """Where training stands."""
        return self.federation.server.state

    @property
    def cohort(self) -> int:
        """Clients asked each round."""
        return self.federation.cohort

    @property
    def run_id(self) -> bytes:
        """The run's 16 bytes."""
        return self.federation.server.run

    def run(
        self, on_round: OnRound = lambda row: None, stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Run the rounds that are left, or as many as the privacy budget allows.

        Returns whether all are done.

        Args:
            on_round: called with each round's row.
            stop: asked at each round's border.
        """
        for record in self.federation.rounds(self.settings.rounds, lambda: stop() or self.spent()):
            row = self._row(record)
            self.log.add(row)
            on_round(row)
        self.log.write_table()
        return self.state.round >= self.settings.rounds

    def spent(self) -> bool:
        """Return whether the next round would take a client past its privacy budget."""
        allowed = self.budget.allows(self.federation.next_cohort())
        if not allowed:
            logger.warning(
                "the run ends after round %d: one more would pass the privacy budget, ε = %g",
                self.state.round,
                self.settings.privacy.epsilon,
            )
        return not allowed

    def begin_at(self, cost: Mapping[str, float]) -> None:
        """Begin the totals with what was spent before round 0, and keep it for a resume."""
        (self.folder / CALIBRATION).write_text(json.dumps(dict(cost)), encoding="utf-8")
        self._spend(cost)

    def recall_cost(self) -> None:
        """Begin the totals with what was spent before round 0, if anything was."""
        path = self.folder / CALIBRATION
        if path.exists():
            self._spend(json.loads(path.read_text(encoding="utf-8")))

    def _spend(self, cost: Mapping[str, float]) -> None:
        self.totals.probes += int(cost["probes"])
        self.totals.example_evaluations += int(cost["example_evaluations"])
        self.totals.seconds += cost["seconds"]
        self.federation.traffic.up += int(cost["bytes_up"])
        self.federation.traffic.down += int(cost["bytes_down"])

    def _row(self, record: RoundRecord) -> Row:
        row = self.count(record)
        return row | self.evaluate() if is_tested(self.settings, self.state.round) else row

    def count(self, record: RoundRecord) -> Row:
        """Add a round to the totals and return its row."""
        totals, traffic = self.totals, self.federation.traffic
        totals.probes += record.probes
        totals.example_evaluations += record.example_evaluations
        totals.seconds += record.seconds
        self.budget.take(record.participants)
        return round_row(record.plan, record.outcome, self.dimension, self._noise(record)) | {
            "dimension": self.dimension,
            "asked": record.asked,
            "late": record.late,
            "smallest_sum": record.smallest_sum,
            "bytes_up": traffic.up,
            "bytes_down": traffic.down,
            "probes": totals.probes,
            "example_evaluations": totals.example_evaluations,
            "seconds": totals.seconds,
            "round_seconds": record.seconds,
            "refused": dict(self.federation.server.refusals),
            "digest": record.digest.hex(),
            **self.budget.row(),
        }

    def _noise(self, record: RoundRecord) -> float:
        spec, reports = self.genesis, record.outcome.reports
        return noise_variance(record.plan, spec.secure, spec.privacy, record.asked, reports)

    def evaluate(self) -> dict[str, Any]:
        """Return test loss and accuracy of the averaged weights; empty without a test set."""
        return tested(self.task, self.served())

    def served(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights to evaluate and to ship: averaged, if the run averages."""
        slots = self.state.numpy()
        return slots.get(EMA, slots[WEIGHTS])

    def load_trained(self) -> None:
        """Put the trained weights into the task's model."""
        load_weights(self.task.model, self.served())

    def close(self) -> None:
        """Release the run folder."""
        self.federation.ledger.close()


def start(settings: Settings, task: Task, folder: Path) -> Session:
    """Begin a run in a new folder.

    Raises:
        ConfigError: settings that do not go together.
        ModelError: nothing to train.
        LedgerError: the folder holds a run already.
    """
    settings, signature = with_noise(with_clients(settings)), model_signature(task.model)
    spec = genesis(settings, signature, b"")
    rules = Rules.of(spec)
    state = rules.start(initial_weights(task.model))
    spec = genesis(settings, signature, state.digest())
    policy(settings, signature)  # refuses before anything is written
    # A simulation makes rounds that a power cut takes again, and waits for no disk.
    ledger = Ledger.create(folder, spec.to_bytes(), durable=False)
    _store_start(settings, folder, ledger, state)
    return _session(settings, task, folder, ledger, spec, state, None)


def with_clients(settings: Settings) -> Settings:
    """Return the settings with one client in a pass where nothing is said of it.

    So it is in runs from before there was a choice.
    """
    engine = settings.engine
    if engine.clients:
        return settings
    return settings.model_copy(update={"engine": engine.model_copy(update={"clients": 1})})


def _store_start(settings: Settings, folder: Path, ledger: Ledger, state: TrainState) -> None:
    (folder / CONFIG).write_text(to_toml(settings), encoding="utf-8")
    ledger.save(state)


def resume(folder: Path, task_for: Callable[[Settings], Task]) -> Session:
    """Go on with a run where its ledger ends.

    Args:
        folder: run folder.
        task_for: makes the task from the settings (`task_of` for named models and data).

    Raises:
        LedgerError: not a run, locked, of another version, or tampered with.
        ConfigError: the task has another number of clients.
        SignatureMismatch: the model is not the run's.
    """
    require_ledger(folder)
    ledger = Ledger.open(folder, write=True, durable=False)
    try:
        spec = Genesis.from_bytes(ledger.genesis)
        settings = with_clients(resolve(spec.settings))
        task = task_for(settings)
        spec.signature.require(model_signature(task.model), "the resumed run")
        if len(task.rows) != settings.federation.clients:
            raise ConfigError(
                f"the run has {settings.federation.clients} clients, got {len(task.rows)}: "
                "go on with the same ones"
            )
        if not ledger.snapshots:
            _begin_again(spec, settings, task, folder, ledger)
        found = replay(ledger)
        session = _session(settings, task, folder, ledger, spec, found.state, found.last)
        _catch_up(session, ledger)
    except BaseException:
        ledger.close()
        raise
    return session


def _begin_again(
    spec: Genesis, settings: Settings, task: Task, folder: Path, ledger: Ledger
) -> None:
    """Store what a crash at the very start kept from being stored."""
    state = Rules.of(spec).start(initial_weights(task.model))
    if state.digest() != spec.initial:
        raise LedgerError(
            f"{folder} holds no weights, since the run ended before they were stored, and this "
            "model's are not those that it began with; delete the folder and run again"
        )
    _store_start(settings, folder, ledger, state)


def _session(
    settings: Settings,
    task: Task,
    folder: Path,
    ledger: Ledger,
    spec: Genesis,
    state: TrainState,
    last: Last | None,
) -> Session:
    rules, f = Rules.of(spec), settings.federation
    task = with_hostile_data(settings, task)
    roster = Roster(settings.key, spec.run, rules, probe_of(task, settings.engine), task.rows)
    requests = policy(settings, spec.signature)
    server = server_of(settings, spec, rules, requests, Replayed(state, last))
    traffic = Traffic(
        snapshot=sum(a.nbytes for slot in state.numpy().values() for a in slot.values())
    )
    federation = Federation(
        server=server,
        follower=Follower(rules, state, server.digest),
        collecting=collecting_of(settings, spec, answers_of(settings, roster), roster, traffic),
        ledger=ledger,
        key=settings.key,
        clients=f.clients,
        cohort=cohort_size(f.clients, f.participation, f.cohort),
        faults=Faults(settings.key, f.dropout, f.slow),
        traffic=traffic,
        snapshot_every=settings.output.snapshot_every,
        groups=grouping(settings),
        draw=COHORTS[f.cohorts],
    )
    dimension = requests.first.kind.dimension(spec.signature, state.numpy()["weights"])
    budget = Budget(spec.privacy, settings.privacy.epsilon)
    log = MetricsLog(folder, state.round)
    return Session(settings, task, folder, federation, log, Totals(), dimension, budget, spec)


def _catch_up(session: Session, ledger: Ledger) -> None:
    """Bring totals and log to where the ledger is: a crash may have cost the log its last rows."""
    federation, log = session.federation, session.log
    session.recall_cost()
    session.budget.before(ledger.first_round - 1)
    for _ in range(ledger.first_round - 1):
        federation.traffic.close(0)  # pruned rounds; their bytes are in the log's totals
    known = {row["round"]: row for row in log.rows}
    for row in ledger.rows():
        record = federation.recall(row)
        if row.round not in known:
            log.add(session.count(record) | {"seconds_known": False})
            continue
        logged = known[row.round]
        session.budget.take(record.participants)
        session.totals = Totals(logged["probes"], logged["example_evaluations"], logged["seconds"])
        federation.traffic.up = logged["bytes_up"]
        federation.traffic.down = logged["bytes_down"]


def evaluated(folder: Path, round: int | None = None) -> dict[str, Any]:
    """Return test loss and accuracy of the averaged weights after a round of a stored run.

    Args:
        folder: run folder, read only.
        round: the last by default.

    Raises:
        ConfigError: the run has no such round, or its model came from Python.
        LedgerError: not a run, or tampered with.
    """
    require_ledger(folder)
    with Ledger.open(folder) as ledger:
        if round is not None and not 0 <= round <= ledger.last_round:
            raise ConfigError(f"the run's rounds are 0 to {ledger.last_round}, got {round}")
        spec = Genesis.from_bytes(ledger.genesis)
        task = task_of(resolve(spec.settings))
        state = replay(ledger, round).state
    if task.test is None:
        raise ConfigError("this run has no test set to evaluate on")
    slots = state.numpy()
    loss, accuracy = evaluate(task.model, slots.get(EMA, slots[WEIGHTS]), task.test, task.loss)
    return {
        "run_dir": str(folder),
        "round": state.round,
        "test_loss": loss,
        "test_accuracy": accuracy,
        "digest": state.digest().hex(),
    }


def new_folder(parent: Path, settings: Settings) -> Path:
    """Return a run folder's path that does not exist yet: time, algorithm, key."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    base = parent / f"{stamp}-{settings.algorithm}-key{settings.key}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder
