"""What is kept of the gradient's size by tensor: unbiased, and the same bits everywhere."""

import numpy as np
import pytest

from baffle.directions import ModelSignature, Place, TensorSpec, make_kind
from baffle.updates import NUMPY, UpdateSpec
from baffle.updates.energies import Energies
from baffle.updates.rebuild import Sums, estimate

TENSORS = (TensorSpec("b", (8,)), TensorSpec("c", (6, 2, 3, 3)), TensorSpec("w", (10, 12)))
SIGNATURE = ModelSignature(TENSORS)
KIND, K, SCALES = make_kind("rank_one", 7, 1.0), 64, (2, -1, 0)
RNG = np.random.default_rng(0)
GRADIENT = {t.name: RNG.standard_normal(t.shape) * 4.0**i for i, t in enumerate(TENSORS)}
WEIGHTS = {t.name: np.zeros(t.shape, np.float32) for t in TENSORS}


def scalars(round_, normalised):
    """Return a round's sums of the derivatives of a linear loss with GRADIENT."""
    numbers, total = np.arange(K, dtype=np.uint32), np.zeros(K)
    for (number, tensor), scale in zip(SIGNATURE.trained, SCALES, strict=True):
        z = KIND.draw(Place(7, round_).stream(number), numbers, tensor, None).dense()
        total += 2.0**scale * z.reshape(K, -1).astype(float) @ GRADIENT[tensor.name].reshape(-1)
    return Sums(np.rint(total * 2**10).astype(np.int64)[None], 1, -10, SCALES, normalised, K)


def kept(ops, rounds, normalised, decay=0.999):
    chain = UpdateSpec("sgd", energies=decay, normalised=normalised).chain()
    state = chain.init(WEIGHTS, ops)
    for round_ in range(rounds):
        sums = scalars(round_, normalised)
        found = estimate(KIND, SIGNATURE, 7, round_, 0, sums, None, ops)
        state = chain.apply(state, found, 0.0, ops, sums.floor(SIGNATURE))
    return state


@pytest.mark.parametrize("normalised", [False, True])
def test_it_is_the_mean_squared_entry_over_the_mean_squared_scalar(normalised):
    """No noise floor is left, though the noise is some times the signal."""
    found = [
        Energies(0.0).apply(
            dict.fromkeys(WEIGHTS, np.zeros(1, np.float32)),
            estimate(KIND, SIGNATURE, 7, r, 0, s, None, NUMPY),
            s.floor(SIGNATURE), 0, NUMPY,
        )
        for r in range(100)
        for s in [scalars(r, normalised)]
    ]  # fmt: skip
    square = sum(4.0**s * np.sum(g**2) for g, s in zip(GRADIENT.values(), SCALES, strict=True))
    for (name, g), scale in zip(GRADIENT.items(), SCALES, strict=True):
        seen = np.array([float(f[name][0]) for f in found])
        expected = np.mean(g**2) / square * (K - 1) / K
        error = seen.std() / np.sqrt(len(seen))
        assert abs(seen.mean() - expected) < 4 * error
        assert error < 0.1 / (K * 4.0**scale)  # of the floor, had it not been taken away


def test_numpy_and_torch_keep_the_same_bits():
    ops = pytest.importorskip("baffle.backends.torch.ops").TorchOps()
    for normalised in (False, True):
        states = [kept(library, 4, normalised) for library in (NUMPY, ops)]
        assert states[0].digest() == states[1].digest()
        assert all(float(e[0]) for e in states[0].slots["energies"].values())


def test_a_round_of_zeros_tells_nothing():
    sums = Sums(np.zeros((1, K), np.int64), 1, -10, SCALES, True, K)
    before = {n: np.array([0.5], np.float32) for n in WEIGHTS}
    zeros = estimate(KIND, SIGNATURE, 7, 0, 0, sums, None, NUMPY)
    assert Energies(0.9).apply(before, zeros, sums.floor(SIGNATURE), 3, NUMPY) is before


def test_a_genesis_without_them_is_the_one_of_before():
    assert "energies" not in UpdateSpec().stated()
    assert UpdateSpec(**UpdateSpec(energies=0.5).stated()) == UpdateSpec(energies=0.5)
