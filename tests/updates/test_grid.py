"""int8 weights after an update: cut, or rounded to their grid; the same bits everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from baffle.updates import NUMPY, Chain
from baffle.updates.grid import Grid, on_grid

NAMES = {"conv.int8": 3, "int8": 7}


def weights(scale: float = 1.0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        name: (scale * draw.standard_normal((50, 33))).astype(np.float32)
        for name in ("conv.int8", "conv.bias", "int8", "int8.weight")
    }


def torch_ops():
    return pytest.importorskip("baffle.backends.torch.ops").TorchOps()


def test_which_tensors():
    assert [on_grid(n) for n in ("int8", "a.b.int8", "xint8", "int8.bias")] == [True, True, 0, 0]


@pytest.mark.parametrize("stochastic", [False, True])
def test_numpy_and_torch_agree_and_all_others_are_left(stochastic):
    grid = Grid(stochastic, 11, NAMES)
    own, ops = weights(), torch_ops()
    found = grid.kept(own, 4, NUMPY)
    other = grid.kept({n: ops.asarray(w) for n, w in own.items()}, 4, ops)
    for name, values in found.items():
        assert np.array_equal(values, other[name].numpy())
        assert (values is own[name]) == (not on_grid(name))
        assert on_grid(name) == bool((np.abs(values) <= 126 / 128).all())


def test_near_weights_are_cut_and_otherwise_kept():
    u = np.array([-3.0, -0.99, -0.1, 0.123456, 126 / 128, 0.99], np.float32)
    found = Grid().kept({"int8": u}, 0, NUMPY)["int8"]
    assert found.tolist() == np.clip(u, np.float32(-126 / 128), np.float32(126 / 128)).tolist()


def test_on_the_grid_and_right_on_average():
    u = np.full(4000, 10.3 / 128, np.float32)
    total = np.zeros(4000)
    for round_ in range(25):
        steps = Grid(True, 5, {"int8": 1}).kept({"int8": u}, round_, NUMPY)["int8"] * 128
        assert set(np.unique(steps)) == {10.0, 11.0}
        total += steps
    # 100,000 draws of variance 0.21: six standard errors
    assert abs(total.mean() / 25 - 10.3) < 6 * (0.21 / 100_000) ** 0.5


def test_draws_differ_by_round_tensor_and_key():
    u = {"int8": np.full(64, 0.5 / 128, np.float32)}
    found = {
        Grid(True, key, {"int8": number}).kept(u, round_, NUMPY)["int8"].tobytes()
        for key in (1, 2)
        for number in (0, 1)
        for round_ in (0, 1)
    }
    assert len(found) == 8


def test_golden():
    found = Grid(True, 11, NAMES).kept(weights(0.3), 4, NUMPY)
    digest = hashlib.sha256(b"".join(found[n].tobytes() for n in sorted(NAMES))).hexdigest()
    assert digest[:16] == "180602f29edbd914"


def test_it_comes_after_the_step_and_before_the_average():
    chain = Chain()
    state = chain.init({"int8": np.zeros(2, np.float32)}, NUMPY)
    moved = chain.apply(state, {"int8": np.array([-5.0, 0.25], np.float32)}, 1.0, NUMPY)
    assert moved.weights["int8"].tolist() == [126 / 128, -0.25]
