"""What a client does in a round by probes: the whole protocol, without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from baffle.backends.torch import initial_weights, model_signature
from baffle.bench.advise.given import Given
from baffle.config import Settings, resolve
from baffle.drivers.build import genesis, policy, server_of
from baffle.drivers.local.engine import probe_of
from baffle.drivers.local.roster import RowsProbe, simulated_secret
from baffle.drivers.local.task import OWN_TASK, Task
from baffle.ledger.replay import Replayed
from baffle.protocol import Client, Rules
from baffle.protocol.codec import encode_report
from baffle.protocol.steps import evaluations

Clock = Callable[[], float]
STEP_SIZE = 1e-4  # small enough that losses stay what they are for all that speed knows
LIGHT = {"average": 0.0}  # weights and two moments are all the state


class ProbeRounds:
    """A client's rounds by probes: plan, K probes of B examples, report, update, digest.

    Where the client has more than B examples it picks B of all it has, as runs do by default.

    The server's part of the process is small: its state is the client's own.

    Args:
        given: model and examples, all that the client has.
        directions: K.
        low_memory: a point a pass (`engine.low_memory`), and no average of the weights
            (`update.average = 0`).
        threads: of a pass.
        clients: reports a round that are summed: this client's, so many times.
        batch: B; 0 for all examples.
    """

    def __init__(
        self,
        given: Given,
        directions: int,
        low_memory: bool,
        threads: int,
        clients: int = 1,
        batch: int = 0,
    ) -> None:
        self.examples, self.batch = len(given), batch or len(given)
        sizes = {"batch": self.batch, "candidates": self.examples * (self.examples > self.batch)}
        settings = settings_of(directions, sizes, low_memory, threads, clients)
        rows = np.arange(len(given))
        task = Task(given.module, given.loss, given, [rows] * clients, None)
        signature = model_signature(given.module)
        state = Rules.of(genesis(settings, signature, b"")).start(initial_weights(given.module))
        spec = genesis(settings, signature, state.digest())
        self.rules, requests = Rules.of(spec), policy(settings, signature)
        self.server = server_of(settings, spec, self.rules, requests, Replayed(state, None))
        probe = RowsProbe(probe_of(task, settings.engine), rows)
        self.client = Client(0, simulated_secret(0, 0), spec.run, self.rules, probe, len(given))
        self.clients, self.up, self.down = clients, 0, 0
        self.probes, self.probing = 0.0, 0.0

    def round(self, clock: Clock) -> None:
        """Do a round; `up` and `down` are then its bytes for one client that misses no round.

        `probes` says how many losses of B examples it took, what it looked at before it picked
        among them, and `probing` for how long.
        """
        server = self.server
        plan = server.open_round()
        started = clock()
        report = self.client.measure(server.plan, server.state, server.digest)
        self.probing = clock() - started
        self.probes = evaluations(server.plan, self.examples) / self.batch
        for number in range(self.clients):
            data = encode_report(dataclasses.replace(report, client=number), server.plan.bits)
            server.receive(data)
        closed = server.close_round()
        server.commit()
        self.up, self.down = len(data), len(plan) + len(closed.outcome_bytes)


def settings_of(
    directions: int, sizes: Mapping[str, int], low_memory: bool, threads: int, clients: int
) -> Settings:
    """Return a run's settings as the advice means them."""
    update: dict[str, Any] = {"step_size": STEP_SIZE, **(LIGHT if low_memory else {})}
    pairs = min(8, max(2, directions // 4))
    return resolve(
        {
            "federation": {"clients": clients, "participation": 1.0},
            "probe": {"num_directions": directions, "pairs": pairs, **sizes},
            "update": update,
            "engine": {"threads": threads, "low_memory": low_memory},
        },
        OWN_TASK,
    )
