"""A fleet without a network: a real server with its ledger, real clients with their folders.

A client answers when the server polls. Time is counted, not waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.nn.functional import cross_entropy

from baffle.config import fleet_settings, resolve
from baffle.drivers.fleet.run import FleetRun, open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.fleet.task import backing_of, server_task
from baffle.drivers.local.roster import simulated_secret
from baffle.drivers.local.task import OWN_TASK
from baffle.fleet import FleetClient, FolderStore, Guard, Identity, Outgoing
from baffle.monitor import Many
from baffle.protocol.exchange.signed import Pin
from tools.fleet.figures.subjects import Subject

NO_WAITING = {"gather": 0.0, "deadline": 10.0, "remind": 0.0, "farewell": 5.0}
Watch = Callable[[Outgoing, bytes], None]


@dataclass(frozen=True)
class Came:
    """An answer."""

    node: int
    data: bytes | None
    problem: str | None = None


class Loopback:
    """A transport whose nodes are objects.

    Args:
        watch: told of each message and its answer.
    """

    def __init__(self, watch: Watch = lambda message, answer: None) -> None:
        self.watch = watch
        self.guards: dict[int, Guard] = {}
        self._waiting: list[Outgoing] = []

    def nodes(self) -> frozenset[int]:
        """Return the nodes that are connected."""
        return frozenset(self.guards)

    def carry(self, messages: Iterable[Outgoing], seconds: float, group: str) -> None:
        """Take messages."""
        self._waiting += messages

    def poll(self) -> list[Came]:
        """Return the answers to all that was taken, from those who are still there."""
        waiting, self._waiting = self._waiting, []
        return [self._answered(message) for message in waiting if message.node in self.guards]

    def _answered(self, message: Outgoing) -> Came:
        answer = self.guards[message.node].handle(message.parts)
        self.watch(message, answer)
        return Came(message.node, answer)

    def close(self) -> None:
        """Nothing to let go of."""


class Clock:
    """Seconds that pass when someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def client(folder: Path, node: int, number: int, subject: Subject) -> Guard:
    """Return a client behind its guard, as its process makes it: what it knows is in its folder.

    Args:
        folder: its own.
        node: that it is.
        number: in the roster.
        subject: its model and data.
    """
    identity = Identity(lambda genesis: simulated_secret(genesis.key, number), number)
    store = FolderStore(folder)
    found = FleetClient(
        identity,
        lambda genesis: backing_of(
            genesis, number, subject.model, subject.data, {"partition-id": number}, cross_entropy
        ),
        store,
        time.process_time,  # the server's choice is then that of a machine with nothing else to do
    )
    return Guard(found, node, Pin(), store)


def opened(folder: Path, subject: Subject, config: Mapping[str, Any], **fleet: Any) -> FleetRun:
    """Return a run in a new folder.

    Args:
        folder: run folder.
        subject: model and data.
        config: settings by section.
        fleet: settings of the fleet.
    """
    return open_run(
        resolve(config, OWN_TASK),
        fleet_settings({**NO_WAITING, **fleet}),
        lambda settings: server_task(settings, subject.model, None, cross_entropy),
        folder,
    )


def serving(run: FleetRun, transport: Loopback, clock: Clock) -> Serving:
    """Return the loop of a run's server on a clock of its own."""
    return Serving(run, transport, Many({}), clock=clock, sleep=clock.sleep)


def config_of(clients: int, rounds: int, directions: int) -> dict[str, Any]:
    """Return settings with Adam and an average of the weights, and one example a probe.

    Args:
        clients: registered; all are asked.
        rounds: of the run.
        directions: K.
    """
    return {
        "rounds": rounds,
        "federation": {"clients": clients, "participation": 1.0},
        "probe": {"num_directions": directions, "batch": 1},
        "update": {"step_size": 0.002, "average": 0.99},
        "engine": {"chunk": 64, "threads": 1, "clients": 1, "route": "rank_one"},
        "output": {"evaluate_every": 0},
    }
