"""BAFFLE on handwritten digits, the whole method, in NumPy.

Ten clients train one network together. Nobody computes a gradient: each round a client probes its
loss at K perturbed weights and sends K small integers, and the server adds them up.

    python examples/minimal.py

`tests/examples/test_minimal.py` shows that the library gives these weights bit for bit.
"""

import math

import numpy as np
from sklearn.datasets import load_digits

KEY, CLIENTS, ROUNDS, K, BATCH = 0, 10, 300, 256, 32
RADIUS, STEP, RATE, BETA = 2.0**-8, 2.0**-12, 1.0, 0.9
SHAPES = {
    "hidden.bias": (32,),
    "hidden.weight": (32, 64),
    "out.bias": (10,),
    "out.weight": (10, 32),
}
DIRECTION, ROUNDING, BATCHES = 1, 5, 6  # what random bits are for: the counter's top bits


def philox(key, block, index, round_, top):
    """128 random bits that are a function of key and place alone (Salmon et al. 2011)."""
    x = [np.asarray(v, dtype=np.uint64) for v in np.broadcast_arrays(block, index, round_, top)]
    k0, k1, low, half = key & 0xFFFFFFFF, key >> 32, np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = [
            (b >> half) ^ x[1] ^ np.uint64(k0),
            b & low,
            (a >> half) ^ x[3] ^ np.uint64(k1),
            a & low,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(x, axis=-1).astype("<u4")


def words(key, purpose, round_, count, index=(0,), tensor=0):
    """The first `count` random words of each index's own stream."""
    blocks, rows = np.arange(-(-count // 4))[None], np.array(index)[:, None]
    return philox(key, blocks, rows, round_, purpose << 28 | tensor).reshape(len(index), -1)[
        :, :count
    ]


def direction(round_, tensor, shape):
    """K directions of ±1: out ⊗ in for a matrix, plain for a vector."""
    bits = np.unpackbits(
        words(KEY, DIRECTION, round_, -(-sum(shape) // 32), range(K), tensor).copy().view(np.uint8),
        axis=1, bitorder="little", count=sum(shape),
    )  # fmt: skip
    z = 1 - 2 * bits.astype(np.int8)
    return z if len(shape) == 1 else (z[:, : shape[0]], z[:, shape[0] :])


def layer(x, weight, bias, z_weight, z_bias):
    """x (W + σ a bᵀ)ᵀ + bias + σ z for all K at once: one product with W, two thin corrections."""
    out, inner = (np.float32(RADIUS) * z_weight[0].astype("f4")), z_weight[1].astype("f4")
    bent = np.matmul(x, inner[:, :, None]) * out[:, None, :]
    return x @ weight.T + bent + (bias + np.float32(RADIUS) * z_bias.astype("f4"))[:, None, :]


def losses(theta, z, x, y):
    """The loss at each of the K perturbed weights; forward only."""
    h = layer(
        x[None], theta["hidden.weight"], theta["hidden.bias"], z["hidden.weight"], z["hidden.bias"]
    )
    h = h * np.clip(h + 3, 0, 6) / 6  # hardswish
    o = layer(h, theta["out.weight"], theta["out.bias"], z["out.weight"], z["out.bias"])
    o = o - o.max(axis=2, keepdims=True)
    picked = o[:, np.arange(len(y)), y]
    return (np.log(np.exp(o).sum(axis=2)) - picked).mean(axis=1).astype(np.float64)


def client(theta, z, round_, own_key, x, y):
    """A client's answer: K integers, each a loss difference over the radius, on a grid."""
    chosen = batch(own_key, round_, len(x))
    l = losses(theta, z, x[chosen], y[chosen])
    derivative = (l - l.mean()) * (K / (K - 1)) / RADIUS
    u = (words(own_key, ROUNDING, round_, K)[0] + 0.5) * 2.0**-32  # stochastic rounding
    return np.floor(np.clip(derivative / STEP, -32767, 32767) + u).astype(np.int64)


def batch(own_key, round_, population):
    """BATCH of the client's examples, by Floyd's sampling."""
    size = min(BATCH, population)
    w = words(own_key, BATCHES, round_, 2 * size)[0].astype(np.uint64)
    chosen = set()
    for top, draw in zip(
        range(population - size, population), w[::2] << np.uint64(32) | w[1::2], strict=True
    ):
        drawn = int(draw % np.uint64(top + 1))
        chosen.add(top if drawn in chosen else drawn)
    return np.array(sorted(chosen))


def rebuild(total, z):
    """sum_k Q_k z_k: integers, so that the order of the sum cannot matter (exact in float64)."""
    if isinstance(z, tuple):
        return (z[0].T * total.astype(np.float64)) @ z[1].astype(np.float64)
    return total.astype(np.float64) @ z.astype(np.float64)


def initial(seed=0):
    """Small random weights and zero biases."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.uniform(-1, 1, s) / np.sqrt(s[-1]) if len(s) == 2 else np.zeros(s)).astype("f4")
        for name, s in SHAPES.items()
    }


def train(theta, shards, own_keys, rounds):
    """The server: sum the integers, rebuild the estimate, step. Returns the weights."""
    velocity = {name: np.zeros_like(w) for name, w in theta.items()}
    for r in range(rounds):
        z = {name: direction(r, tensor, s) for tensor, (name, s) in enumerate(SHAPES.items())}
        total = sum(
            client(theta, z, r, k, x, y) for k, (x, y) in zip(own_keys, shards, strict=True)
        )
        rate = RATE * 0.5 * (1 + math.cos(math.pi * (r / ROUNDS)))
        for name in SHAPES:
            scale = np.float32(STEP * (1 / (K * len(shards))))
            estimate = rebuild(total, z[name]).astype(np.int64).astype("f4") * scale
            velocity[name] = velocity[name] * np.float32(BETA) + estimate * np.float32(1 - BETA)
            theta[name] = theta[name] - velocity[name] * np.float32(rate)
    return theta


def shards():
    """Four fifths of the digits dealt to the clients in turn; every fifth one is for testing."""
    x, y = load_digits(return_X_y=True)
    x, test = (x / 16).astype("f4"), np.arange(len(x)) % 5 == 4
    own, labels = x[~test], y[~test]
    return [(own[c::CLIENTS], labels[c::CLIENTS]) for c in range(CLIENTS)], (x[test], y[test])


def accuracy(theta, x, y):
    """Share of examples whose largest output is the label's."""
    h = x @ theta["hidden.weight"].T + theta["hidden.bias"]
    h = h * np.clip(h + 3, 0, 6) / 6
    return float(((h @ theta["out.weight"].T + theta["out.bias"]).argmax(axis=1) == y).mean())


if __name__ == "__main__":
    data, test = shards()
    trained = train(initial(), data, range(1, CLIENTS + 1), ROUNDS)
    score = accuracy(trained, *test)
    print(f"{ROUNDS} rounds, {2 * K} bytes a client a round: test accuracy {score:.3f}")
