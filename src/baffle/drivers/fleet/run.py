"""A fleet's run on the server's disk: start it, or go on where its ledger ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from baffle.backends.torch import evaluate, initial_weights, model_signature
from baffle.cohort import COHORTS, cohort_size
from baffle.config import FleetSettings, Settings, resolve, to_toml
from baffle.drivers.build import genesis, policy, server_of, with_noise
from baffle.drivers.fleet.asked import one_client_a_pass, pace_of, require_same
from baffle.drivers.fleet.key import server_key
from baffle.drivers.fleet.rows import Book
from baffle.drivers.fleet.task import ServerTask
from baffle.drivers.local.calibrate import calibrate
from baffle.drivers.local.metrics import MetricsLog
from baffle.drivers.local.parts import grouping
from baffle.drivers.local.session import CONFIG, with_clients
from baffle.drivers.privacy import Budget
from baffle.drivers.zeros import warn_of_zeros
from baffle.errors import ConfigError, LedgerError, LedgerFull
from baffle.fleet import Coordinator, Downlink, Members, coordinator_of
from baffle.ledger import Ledger, Row, durable
from baffle.ledger.database import DATABASE
from baffle.ledger.replay import Replayed, replay
from baffle.protocol import Closed, Genesis, Rules
from baffle.protocol.exchange.signed import public_bytes
from baffle.protocol.participants import encode_participants
from baffle.updates.state import EMA, WEIGHTS

MEMBERS, SERVER_KEY = "members.json", "server.key"
logger = logging.getLogger(__name__)
MakeTask = Callable[[Settings], ServerTask]


@dataclass
class FleetRun:
    """A run in progress.

    Args:
        settings: complete.
        fleet: how it is run.
        task: model, and test examples if the server has any.
        folder: run folder.
        ledger: open for writing.
        coordinator: where the run stands.
        book: its figures.
        key: that its asks are signed with.
        budget: what is spent of the clients' privacy.
    """

    settings: Settings
    fleet: FleetSettings
    task: ServerTask
    folder: Path
    ledger: Ledger
    coordinator: Coordinator
    book: Book
    key: Ed25519PrivateKey
    budget: Budget
    _members: str = field(default="")
    _spent: tuple[int, bool] = (-1, False)

    @property
    def done(self) -> bool:
        """Whether all rounds are stored, or the clients' privacy budget is spent."""
        return self.coordinator.server.state.round >= self.settings.rounds or self.spent

    @property
    def spent(self) -> bool:
        """Whether too few clients are left that one more round would not take past the budget."""
        number = self.coordinator.server.state.round
        if self.coordinator.genesis.privacy is None:
            return False
        if self._spent[0] != number:
            spent = self.coordinator.spent()
            self._spent = number, spent
            if spent:
                logger.info("the run ends after round %d: its privacy budget is spent", number - 1)
        return self._spent[1]

    def store(self, closed: Closed) -> None:
        """Make a round durable.

        Raises:
            LedgerFull: the disk would not take it; the round is not to be acknowledged.
        """
        state = closed.state
        participants = encode_participants(closed.participants)
        self.ledger.append(
            Row(state.round, closed.plan_bytes, closed.outcome_bytes, participants, closed.digest)
        )
        self.budget.take(closed.participants)
        if state.round % self.settings.output.snapshot_every == 0:
            try:
                self.ledger.save(state)
            except LedgerFull as problem:  # a longer replay, nothing else
                logger.warning("no snapshot of round %d: %s", state.round, problem)

    def keep_members(self) -> bool:
        """Keep the roster, if it changed since it was kept last; returns whether it is kept."""
        text = self.coordinator.members.to_json()
        if text != self._members:
            try:
                durable.write(self.folder / MEMBERS, text.encode())
            except OSError as problem:  # kept at the next look, or learnt anew after a restart
                logger.warning("the roster could not be kept: %s", problem)
                return False
            self._members = text
        return True

    def served(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights to evaluate and to ship: averaged, if the run averages."""
        slots = self.coordinator.server.state.numpy()
        return slots.get(EMA, slots[WEIGHTS])

    def evaluate(self) -> dict[str, Any]:
        """Return test loss and accuracy at the server; empty without a test set."""
        if self.task.test is None:
            return {}
        loss, accuracy = evaluate(self.task.model, self.served(), self.task.test, self.task.loss)
        return {"test_loss": loss, "test_accuracy": accuracy}

    def evaluates(self, round: int) -> bool:
        """Return whether the server evaluates after a round."""
        every = self.settings.output.evaluate_every
        return round == self.settings.rounds or (every > 0 and round % every == 0)

    def close(self) -> None:
        """Release the run folder."""
        self.ledger.close()


def open_run(
    settings: Settings, fleet: FleetSettings, make_task: MakeTask, folder: Path
) -> FleetRun:
    """Start a run, or go on with the one in the folder.

    Args:
        settings: as asked for.
        fleet: how it is run.
        make_task: settings to the server's task.
        folder: run folder.

    Raises:
        ConfigError: settings that do not go together, or are not those of the folder's run.
        LedgerError: the folder cannot be used as it stands.
    """
    if fleet.min_clients > settings.federation.clients:
        raise ConfigError(
            f"fleet.min_clients is {fleet.min_clients}, and the run has "
            f"{settings.federation.clients} clients"
        )
    if fleet.evaluate_every and settings.secure.sums:
        raise ConfigError(
            "fleet.evaluate_every asks single clients what they find on their held-out examples, "
            "and with secure sums no single client says anything: set it to 0, and evaluate at the "
            "server"
        )
    if (folder / DATABASE).exists():
        return _resume(settings, fleet, make_task, folder)
    return _start(settings, fleet, make_task, folder)


def _start(settings: Settings, fleet: FleetSettings, make_task: MakeTask, folder: Path) -> FleetRun:
    settings = with_noise(one_client_a_pass(settings))
    task = make_task(settings)
    settings = _with_step_size(settings, task)
    signature = model_signature(task.model)
    rules = Rules.of(genesis(settings, signature, b""))
    weights = initial_weights(task.model)
    warn_of_zeros(settings, weights)
    state = rules.start(weights)
    spec = genesis(settings, signature, state.digest())
    policy(settings, signature)  # refuses before anything is written
    durable.make_folder(folder)
    key = server_key(_key_file(fleet, folder))
    ledger = Ledger.create(folder, spec.to_bytes())
    try:
        _write_config(settings, folder)
        ledger.save(state)
        return _opened(settings, fleet, task, folder, ledger, spec, Replayed(state, None), key)
    except BaseException:
        ledger.close()
        raise


def _resume(asked: Settings, fleet: FleetSettings, make_task: MakeTask, folder: Path) -> FleetRun:
    ledger = Ledger.open(folder, write=True)
    try:
        spec = Genesis.from_bytes(ledger.genesis)
        settings = with_clients(resolve(spec.settings))
        require_same(asked, settings, folder)
        task = make_task(settings)
        spec.signature.require(model_signature(task.model), "the resumed run")
        _mend_start(spec, settings, task, folder, ledger)
        key = server_key(_key_file(fleet, folder), make=False)
        return _opened(settings, fleet, task, folder, ledger, spec, replay(ledger), key)
    except BaseException:
        ledger.close()
        raise


def _mend_start(
    spec: Genesis, settings: Settings, task: ServerTask, folder: Path, ledger: Ledger
) -> None:
    """Store what a crash at the very start kept from being stored."""
    if not (folder / CONFIG).exists():
        _write_config(settings, folder)
    if ledger.snapshots:
        return
    state = Rules.of(spec).start(initial_weights(task.model))
    if state.digest() != spec.initial:
        raise LedgerError(
            f"{folder} holds no weights, since the run ended before they were stored, and this "
            "model's are not those that it began with; delete the folder and run again"
        )
    ledger.save(state)


def _write_config(settings: Settings, folder: Path) -> None:
    durable.write(folder / CONFIG, to_toml(settings).encode())


def _key_file(fleet: FleetSettings, folder: Path) -> Path:
    return Path(fleet.server_key).expanduser() if fleet.server_key else folder / SERVER_KEY


def _with_step_size(settings: Settings, task: ServerTask) -> Settings:
    if settings.update.step_size != "auto":
        return settings
    if task.whole is None:
        raise ConfigError(
            "update.step_size is auto, and the server has no data to find it by: set it, for "
            "example to what `baffle run` finds on a sample"
        )
    step_size, trials = calibrate(settings, task.whole)
    logger.info("step size %g, chosen by %d short trials", step_size, len(trials))
    update = settings.update.model_copy(update={"step_size": step_size})
    return settings.model_copy(update={"update": update})


def _opened(
    settings: Settings,
    fleet: FleetSettings,
    task: ServerTask,
    folder: Path,
    ledger: Ledger,
    spec: Genesis,
    at: Replayed,
    key: Ed25519PrivateKey,
) -> FleetRun:
    f, rules, requests = settings.federation, Rules.of(spec), policy(settings, spec.signature)
    server = server_of(settings, spec, rules, requests, at)
    budget = Budget(spec.privacy, settings.privacy.epsilon)
    budget.recall(ledger)
    coordinator = coordinator_of(
        spec,
        server,
        _members(folder, f.clients),
        Downlink(ledger, spec.initial),
        pace_of(fleet),
        cohort_size(f.clients, f.participation, f.cohort),
        grouping(settings),
        lambda number, more: budget.allows([number], more),
        settings.rounds,
        COHORTS[f.cohorts],
    )
    dimension = requests.first.kind.dimension(spec.signature, at.state.numpy()[WEIGHTS])
    book = Book(MetricsLog(folder, at.state.round), dimension, settings.probe.batch, spec)
    book.catch_up(ledger)
    logger.info("this server's public key is %s", public_bytes(key).hex())
    return FleetRun(settings, fleet, task, folder, ledger, coordinator, book, key, budget)


def _members(folder: Path, clients: int) -> Members:
    path = folder / MEMBERS
    if not path.exists():
        return Members(clients)
    return Members.from_json(path.read_text(encoding="utf-8"), clients)


def timed_advance(run: FleetRun) -> float:
    """Return the seconds that the last stored round takes to rebuild; 0 before there is one."""
    server = run.coordinator.server
    if server.last is None or server.last.outcome.abandoned:
        return 0.0
    started = time.perf_counter()
    server.rules.estimate(server.state, server.last.plan, server.last.outcome)
    return time.perf_counter() - started
