"""Every optimiser: the same bits on NumPy and torch, in any chunk and thread count; golden."""

import hashlib
from itertools import product

import numpy as np
import pytest

from baffle.directions import KINDS, Place
from baffle.updates import NUMPY, OPTIMISERS, UpdateSpec
from baffle.updates.ops import power, tree_mean_square
from baffle.updates.rebuild import Sums, estimate, rebuild_integers, standard_deviation
from tests.contract.battery import SIGNATURE, kinds, weights

SPECS = [
    UpdateSpec(name, l2=l2, decoupled_decay=decay, average=average, normalised=normalised)
    for name, (l2, decay, average, normalised) in product(
        OPTIMISERS, [(0.0, 0.0, 0.0, False), (5e-4, 1e-2, 0.9, True)]
    )
]


def torch_ops():
    return pytest.importorskip("baffle.backends.torch.ops").TorchOps()


def train(spec, ops, kind, rounds=4):
    chain = spec.chain()
    state = chain.init(weights(), ops)
    digests = [state.digest().hex()]
    for round_ in range(rounds):
        q = np.random.default_rng(round_).integers(-30_000, 30_000, (2, 24))
        sums = Sums(q, 7, -9, tuple(range(-3, 4)), spec.normalised)
        held = state.numpy()["weights"]
        found = estimate(kind, SIGNATURE, 7, round_, 0, sums, held, ops)
        state = chain.apply(state, found, 0.05 / (round_ + 1), ops)
        digests.append(state.digest().hex())
    return digests


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: f"{k.name}-{getattr(k, 'density', '')}")
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.optimiser}-{s.normalised}")
def test_numpy_and_torch_agree_bit_for_bit(spec, kind):
    assert train(spec, NUMPY, kind) == train(spec, torch_ops(), kind)


# SHA-256 over the digests of four rounds: what a rewrite on any platform must reproduce.
GOLDEN = {
    "sgd-False": "4a2e3391d126be91",
    "sgd-True": "e3262a00633ee760",
    "momentum-False": "64949a44ca90e10e",
    "momentum-True": "0832a2d7c6fdc891",
    "adam-False": "fa6c342ad1248405",
    "adam-True": "433c87db6486a720",
    "adam_by_tensor-False": "2004ca739aec775d",
    "adam_by_tensor-True": "627eb2f07eba2e2e",
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.optimiser}-{s.normalised}")
def test_golden_digests(spec):
    text = "".join(train(spec, NUMPY, kinds()[0]))
    name = f"{spec.optimiser}-{spec.normalised}"
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == GOLDEN[name]


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: f"{k.name}-{getattr(k, 'density', '')}")
@pytest.mark.parametrize("chunk", [1, 2, 7, 24, 100])
def test_drawn_sums_are_the_same_in_any_chunking(kind, chunk):
    q = np.random.default_rng(0).integers(-(2**40), 2**40, 24)
    for number, tensor in SIGNATURE.trained:
        whole = rebuild_integers(kind, Place(7, 1), number, tensor, q, weights(), chunk=24)
        part = rebuild_integers(kind, Place(7, 1), number, tensor, q, weights(), chunk)
        assert np.array_equal(whole, part)


def test_every_kind_is_in_the_battery():
    assert {k.name for k in kinds()} == set(KINDS)


def test_powers_are_products():
    assert power(0.9, 0) == 1.0
    assert power(0.5, 10) == 2.0**-10
    assert power(0.9, 37) == pytest.approx(0.9**37, rel=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 1000])
def test_tree_mean_square_is_the_mean_square_and_agrees_with_torch(count):
    values = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    mean = tree_mean_square(values, NUMPY)
    assert mean == pytest.approx(float(np.mean(values.astype(float) ** 2)), rel=1e-12)
    ops = torch_ops()
    assert mean == tree_mean_square(ops.asarray(values), ops)


def test_standard_deviation_is_exact_for_large_integers():
    assert standard_deviation(np.array([2**60, 2**60 + 2])) == 1.0


def test_square_roots_are_correctly_rounded_on_torch():
    """torch.sqrt on float32 is not: this fails with it."""
    ops = torch_ops()
    rng = np.random.default_rng(5)
    values = (rng.standard_normal(20_000) ** 2 * 10 ** rng.uniform(-30, 30, 20_000)).astype("f4")
    exact = np.sqrt(values.astype(np.float64)).astype(np.float32)
    assert np.array_equal(ops.sqrt(ops.asarray(values)).numpy(), exact)
    assert np.array_equal(NUMPY.sqrt(values), exact)
