"""A fleet without a network: real clients with folders and torch models, answered at once."""

from dataclasses import dataclass

from torch.nn.functional import cross_entropy

from baffle.config import fleet_settings, resolve
from baffle.drivers.fleet.run import open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.fleet.task import backing_of, server_task
from baffle.drivers.local.roster import simulated_secret
from baffle.fleet import FleetClient, FolderStore, Guard, Identity
from baffle.monitor import Many
from baffle.protocol.exchange.signed import Pin

CLIENTS = 3
CONFIG = {
    "rounds": 5,
    "federation": {"clients": CLIENTS, "participation": 1.0},
    "model": {"name": "mlp", "options": {"widths": [8]}},
    "probe": {"num_directions": 16, "pairs": 4},
    "update": {"step_size": 0.05},
    "engine": {"chunk": 16, "threads": 1, "clients": 1, "route": "rank_one"},
    "output": {"evaluate_every": 2, "snapshot_every": 2},
}


@dataclass(frozen=True)
class Came:
    node: int
    data: bytes | None
    problem: str | None = None


class Clock:
    """Seconds that pass only when someone sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Loopback:
    """Nodes 100, 101, …: each answers when it is polled, the silent ones never."""

    def __init__(self, folder, numbers=range(CLIENTS), make=None):
        self.clients = {100 + n: client(folder / f"client-{n}", n, make) for n in numbers}
        self.guards = {
            node: Guard(client, node, Pin(), client.store) for node, client in self.clients.items()
        }
        self.silent, self.waiting, self.log = set(), [], []

    def nodes(self):
        return frozenset(self.clients)

    def carry(self, messages, seconds, group):
        self.waiting += messages
        self.log += messages

    def poll(self):
        waiting, self.waiting = self.waiting, []
        return [
            Came(m.node, self.guards[m.node].handle(m.parts))
            for m in waiting
            if m.node not in self.silent
        ]


def client(folder, number, make=None):
    identity = Identity(lambda genesis: simulated_secret(genesis.key, number), number)
    made = make or (lambda genesis: backing_of(genesis, number, None, None, {}, cross_entropy))
    store = FolderStore(folder)
    found = FleetClient(identity, made, store, lambda: 0.0)
    found.store = store
    return found


class Told:
    """A monitor that remembers."""

    def __init__(self):
        self.rows, self.events = [], []

    def begin(self, about):
        pass

    def row(self, row):
        self.rows.append(row)

    def event(self, name, **fields):
        self.events.append((name, fields))

    def end(self, summary):
        pass

    def close(self):
        pass


def opened(folder, config=CONFIG, **fleet):
    waits = {"gather": 0.0, "deadline": 10.0, "remind": 0.0, "farewell": 5.0, **fleet}
    return open_run(
        resolve(config),
        fleet_settings(waits),
        lambda settings: server_task(settings, None, None, cross_entropy),
        folder / "run",
    )


def served(run, transport, stop=lambda: False):
    """Serve a run to its end, or until `stop`; returns what the monitor was told."""
    told, clock = Told(), Clock()
    try:
        done = Serving(
            run, transport, Many({"told": told}), stop=stop, clock=clock, sleep=clock.sleep
        ).serve()
    finally:
        run.close()
    return done, told
