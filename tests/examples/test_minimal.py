"""The page-long truth: the library gives the weights of examples/minimal.py, bit for bit."""

import numpy as np

from baffle.config import resolve
from baffle.directions import ModelSignature, TensorSpec
from baffle.drivers.build import genesis, policy
from baffle.protocol import Client, Rules, Server
from baffle.protocol.client import client_key
from examples import minimal

ROUNDS = 12


class MinimalProbe:
    """The example's own losses behind the library's waist."""

    def __init__(self, signature, x, y):
        self.signature, self.x, self.y = signature, x, y

    def __call__(self, weights, points, examples):
        z = {}
        for name, factors in points.factors(self.signature).items():
            vector = len(minimal.SHAPES[name]) == 1
            z[name] = factors.dense() if vector else (factors.out * factors.kernel, factors.inner)
        return minimal.losses(weights, z, self.x[examples], self.y[examples])


def library_weights(rounds):
    shards, _ = minimal.shards()
    settings = resolve(
        {
            "key": minimal.KEY,
            "rounds": minimal.ROUNDS,
            "federation": {"clients": minimal.CLIENTS, "participation": 1.0},
            "probe": {
                "num_directions": minimal.K,
                "estimator": "mean_baseline",
                "pairs": 0,
                "radius": minimal.RADIUS,
                "batch": minimal.BATCH,
            },
            "quantisation": {"step": minimal.STEP},
            "update": {
                "optimiser": "momentum",
                "beta1": minimal.BETA,
                "normalised": False,
                "average": 0.0,
                "step_size": minimal.RATE,
            },
        }
    )
    signature = ModelSignature(tuple(TensorSpec(n, s) for n, s in minimal.SHAPES.items()))
    rules = Rules.of(genesis(settings, signature, b""))
    state = rules.start(minimal.initial())
    start = genesis(settings, signature, state.digest())
    requests = policy(settings, signature)
    server = Server(start.run, rules, requests, state, minimal.CLIENTS)
    secrets = [bytes([c] * 32) for c in range(minimal.CLIENTS)]
    clients = [
        Client(c, secrets[c], start.run, rules, MinimalProbe(signature, x, y), len(x))
        for c, (x, y) in enumerate(shards)
    ]
    for _ in range(rounds):
        plan = server.open_round()
        for client in clients:
            server.receive(client.answer(plan, server.state, server.digest))
        server.close_round()
        server.commit()
    return server.state.weights, shards, [client_key(s, start.run) for s in secrets]


def test_the_library_gives_the_examples_weights_bit_for_bit():
    expected, shards, keys = library_weights(ROUNDS)
    found = minimal.train(minimal.initial(), shards, keys, ROUNDS)
    for name, weights in found.items():
        assert np.array_equal(weights, expected[name]), name
        assert not np.array_equal(weights, minimal.initial()[name])
