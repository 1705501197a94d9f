"""Every registered kind of direction through one battery: a new row needs no new line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.directions import KINDS, ModelSignature, Place, TensorSpec
from tests.contract.battery import SIGNATURE, kinds, weights

KIND = pytest.mark.parametrize(
    "kind", kinds(), ids=lambda k: f"{k.name}-{getattr(k, 'density', '')}"
)
WEIGHTS = weights()
PLACE = Place(7, round=3, step=1)


def drawn(kind, directions, place=PLACE, number_tensor=None):
    for number, tensor in [number_tensor] if number_tensor else SIGNATURE.trained:
        factors = kind.draw(
            place.stream(number), np.asarray(directions, np.uint32), tensor, WEIGHTS
        )
        yield tensor, factors.dense()


def test_the_battery_covers_the_registry():
    assert {k.name for k in kinds()} == set(KINDS)
    assert len({k.code for k in KINDS.values()}) == len(KINDS)


@KIND
@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(9)), cut=st.integers(1, 8))
def test_any_order_and_chunking_gives_the_same_bits(kind, order, cut):
    for (_, whole), (_, head), (_, tail) in zip(
        drawn(kind, range(9)), drawn(kind, order[:cut]), drawn(kind, order[cut:]), strict=True
    ):
        assert np.array_equal(np.concatenate((head, tail)), whole[list(order)])


@KIND
def test_single_entries_equal_the_drawn_ones(kind):
    for number, tensor in SIGNATURE.trained:
        whole = kind.draw(PLACE.stream(number), np.arange(4, dtype=np.uint32), tensor, WEIGHTS)
        flat = np.random.default_rng(1).permutation(tensor.size)
        entries = kind.entries(PLACE.stream(number), 2, tensor, flat, WEIGHTS)
        assert np.array_equal(entries, whole.dense()[2].reshape(-1)[flat])


@KIND
def test_no_entry_passes_the_peak_and_mean_square_is_one(kind):
    tensor = TensorSpec("w", (40, 25))
    signature = ModelSignature((tensor,))
    values = {"w": weights(2, 0.0, signature)["w"]}
    z = kind.draw(PLACE.stream(0), np.arange(400, dtype=np.uint32), tensor, values).dense()
    assert np.abs(z).max() <= kind.peak
    unit = z * 2.0**kind.unit_exponent
    moved = kind.dimension(signature, values)
    # 400 directions of at least 250 entries: the mean square's own deviation is below 0.5 %.
    assert np.mean(np.sum(unit.reshape(400, -1) ** 2, axis=1)) / moved == pytest.approx(1, abs=0.02)


@KIND
def test_weighted_sum_is_the_slow_sum(kind):
    rng = np.random.default_rng(3)
    for size in (2**3, 2**20, 2**40):
        q = rng.integers(-size, size, 11)
        for number, tensor in SIGNATURE.trained:
            factors = kind.draw(
                PLACE.stream(number), np.arange(11, dtype=np.uint32), tensor, WEIGHTS
            )
            z = factors.dense().astype(object)
            slow = sum((int(q[k]) * z[k] for k in range(11)), np.zeros(tensor.shape, dtype=object))
            assert factors.weighted_sum(q).tolist() == np.asarray(slow, dtype=object).tolist()


@KIND
def test_directions_differ_across_rounds_steps_tensors_and_directions(kind):
    """Repeated seeds, equal noise in equal layers, one direction for all k: peers' defects."""
    tensor = TensorSpec("w", (64, 50))
    values = {"w": np.ones(tensor.shape, np.float32)}
    places = [
        (Place(7, 0), 0),
        (Place(7, 1), 0),
        (Place(7, 0, 1), 0),
        (Place(7, 0), 1),
        (Place(8, 0), 0),
    ]
    flat = [
        row.reshape(-1) * 2.0**kind.unit_exponent
        for place, number in places
        for row in kind.draw(
            place.stream(number), np.arange(3, dtype=np.uint32), tensor, values
        ).dense()
    ]
    gram = np.corrcoef(np.array(flat, dtype=float))
    off = gram[~np.eye(len(flat), dtype=bool)]
    # 3,200 entries (800 when masked); rank-one correlations have tails like a product of two.
    assert np.abs(off).max() < 0.25


@KIND
def test_entries_are_uncorrelated(kind):
    tensor = TensorSpec("w", (4, 3, 2))
    values = {"w": np.ones(tensor.shape, np.float32)}
    z = kind.draw(PLACE.stream(5), np.arange(20_000, dtype=np.uint32), tensor, values).dense()
    flat = z.reshape(len(z), -1) * 2.0**kind.unit_exponent
    moving = flat[:, np.abs(flat).sum(axis=0) > 0]
    gram = moving.T @ moving / len(z)
    assert np.abs(gram - np.eye(len(gram))).max() < 6 / np.sqrt(len(z))
