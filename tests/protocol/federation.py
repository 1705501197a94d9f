"""A small federation in memory: state machines only, a quadratic loss, any settings."""

import numpy as np

from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import genesis, policy
from baffle.protocol import Client, Rules, Server
from tests.quadratic import quadratic

SIGNATURE = ModelSignature((TensorSpec("w", (4, 3)), TensorSpec("b", (4,))))
CLIENTS = 5


class Quadratic:
    """A client's loss: the mean over its examples of |theta - centre|² / 2."""

    def __init__(self, number, examples=6, spoil=()):
        self.centres = np.random.default_rng(number).standard_normal((examples, 16)) + 1
        self.spoil = spoil

    def __call__(self, weights, points, examples):
        losses = quadratic(self.centres[examples], SIGNATURE, weights, points)
        losses[list(self.spoil)] = np.nan
        return losses


def weights():
    rng = np.random.default_rng(0)
    return {t.name: rng.standard_normal(t.shape).astype(np.float32) for t in SIGNATURE.tensors}


class Federation:
    """Server and clients; `answers` gives the reports of a round, `round` runs one."""

    def __init__(self, probes=None, min_reports=1, **sections):
        base = {
            "rounds": 12,
            "federation": {"clients": CLIENTS},
            "probe": {"num_directions": 24, "batch": 3},
            "update": {"step_size": 0.05},
        }
        self.settings = resolve(base, sections)
        draft = genesis(self.settings, SIGNATURE, b"")
        self.rules = Rules.of(draft)
        state = self.rules.start(weights())
        self.genesis = genesis(self.settings, SIGNATURE, state.digest())
        self.server = Server(
            self.genesis.run,
            self.rules,
            policy(self.settings, SIGNATURE),
            state,
            CLIENTS,
            min_reports,
        )
        self.clients = [
            Client(n, bytes([n] * 32), self.genesis.run, self.rules, probe, len(probe.centres))
            for n, probe in enumerate(probes or [Quadratic(n) for n in range(CLIENTS)])
        ]

    def answers(self, plan):
        return [c.answer(plan, self.server.state, self.server.digest) for c in self.clients]

    def round(self, order=None):
        plan = self.server.open_round()
        reports = self.answers(plan)
        for place in order if order is not None else range(len(reports)):
            self.server.receive(reports[place])
        closed = self.server.close_round()
        self.server.commit()
        return closed
