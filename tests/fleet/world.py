"""A fleet in memory: coordinator, clients with their stores, a ledger; no sockets, no clock."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from baffle.config import groups_of, resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import genesis, policy
from baffle.fleet import (
    Downlink,
    FleetClient,
    Identity,
    Kept,
    Members,
    Pace,
    Replica,
    coordinator_of,
)
from baffle.ledger import Ledger, Row, snapshot
from baffle.ledger.replay import replay
from baffle.protocol import Rules, Server
from baffle.protocol.exchange import Evaluation, SnapshotHeader, encode_ask
from baffle.protocol.participants import encode_participants
from tests.quadratic import quadratic

SIGNATURE = ModelSignature((TensorSpec("b", (2,)), TensorSpec("w", (2, 3))))
DIMENSION = 8


class Quadratic:
    """A client's loss: the mean over its examples of |theta - centre|² / 2."""

    def __init__(self, centres):
        self.centres = centres

    def __call__(self, weights, points, examples):
        return quadratic(self.centres[examples], SIGNATURE, weights, points)


class Backing:
    """A client's model and data."""

    signature = SIGNATURE

    def __init__(self, number, version=0):
        rng = np.random.default_rng([number, version])
        self.centres = rng.standard_normal((4, DIMENSION)) + 1
        self.probe, self.examples = Quadratic(self.centres), len(self.centres)
        self.fingerprint = hashlib.sha256(self.centres.tobytes()).digest()

    def evaluate(self, weights):
        flat = np.concatenate([np.asarray(weights[n]).reshape(-1) for n in ("b", "w")])
        loss = ((flat - self.centres) ** 2).sum(axis=1).mean() / 2
        return Evaluation(self.examples, None, round(float(loss) * 2**16))


class MemoryStore:
    """A client's disk: what it keeps outlives the client."""

    def __init__(self):
        self.kept, self.keys, self.wallets = {}, {}, {}

    def begin(self, genesis):
        self.kept.pop(genesis.run, None)
        return Replica(genesis)

    def load(self, run):
        return self.kept.get(run)

    def save(self, replica, kept, rows=()):
        # The answer lives in the process only.
        self.kept[replica.genesis.run] = (replica, Kept(kept.data, kept.microseconds))

    def wallet(self, run):
        return self.wallets.get(run)

    def keep_wallet(self, run, wallet):
        self.wallets[run] = wallet

    def key(self, run):
        return self.keys.get(run)

    def keep_key(self, run, key):
        self.keys[run] = key


def settings_of(clients=4, rounds=6, **sections):
    base = {
        "rounds": rounds,
        "federation": {"clients": clients, "participation": 1.0},
        "probe": {"num_directions": 6, "batch": 2, "pairs": 2},
        "update": {"step_size": 0.05},
    }
    return resolve(base, sections)


def client_of(
    number, store, version=0, make=None, clock=lambda: 0.0, secret=b"secret", demands=None
):
    secret = hashlib.sha256(secret + bytes([number])).digest()
    made = make or (lambda genesis: Backing(number, version))
    return FleetClient(Identity(lambda genesis: secret, number), made, store, clock, demands)


def first_state(settings):
    rng = np.random.default_rng(0)
    weights = {t.name: rng.standard_normal(t.shape).astype(np.float32) for t in SIGNATURE.tensors}
    return Rules.of(genesis(settings, SIGNATURE, b"")).start(weights)


class Home:
    """The server's disk and the coordinator on it; `restart` is a kill and a new start."""

    def __init__(self, folder: Path, settings, pace=None, cohort=None):
        self.folder, self.settings, self.pace = folder, settings, pace or Pace(gather=0.0)
        self.cohort = cohort or settings.federation.clients
        state = first_state(settings)
        self.genesis = genesis(settings, SIGNATURE, state.digest())
        self.ledger = Ledger.create(folder, self.genesis.to_bytes())
        self.ledger.save(state)
        self.members = Members(settings.federation.clients)
        self.start()

    def start(self):
        found = replay(self.ledger)
        f = self.settings.federation
        server = Server(
            self.genesis.run, Rules.of(self.genesis), policy(self.settings, SIGNATURE),
            found.state, f.clients, f.min_reports, found.last,
            sums_only=self.genesis.secure is not None,
        )  # fmt: skip
        self.members = Members.from_json(self.members.to_json(), f.clients)
        downlink = Downlink(self.ledger, self.genesis.initial)
        dealt = self.genesis.secure is not None or self.settings.groups.number != 1
        self.coordinator = coordinator_of(
            self.genesis, server, self.members, downlink, self.pace, self.cohort,
            (lambda n: groups_of(self.settings, n)) if dealt else None,
            rounds=self.settings.rounds,
        )  # fmt: skip

    def restart(self):
        self.ledger.close()
        self.ledger = Ledger.open(self.folder, write=True)
        self.start()

    def store(self, closed):
        state = closed.state
        self.ledger.append(
            Row(
                state.round,
                closed.plan_bytes,
                closed.outcome_bytes,
                encode_participants(closed.participants),
                closed.digest,
            )
        )


def snapshot_parts(copy, ask):
    """Return an ask with a copy's state before it, as parts of a message."""
    data = snapshot.encode(copy.state)
    header = SnapshotHeader(copy.state.round, len(data), hashlib.sha256(data).digest(), 1)
    return [encode_ask(dataclasses.replace(ask, snapshot=header)), data]
