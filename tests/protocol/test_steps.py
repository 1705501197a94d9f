"""Many clients' arithmetic at once gives each the bits that it would get alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.keyed import keyed_words
from baffle.directions.subset import draw_subset, draw_subsets
from baffle.errors import BoundError
from baffle.estimators import ESTIMATORS
from baffle.quantisation import Quantiser, rounding_rows, rounding_words

KEYS = np.array([0, 1, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1], dtype=np.uint64)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 130, 2**16])
def test_words_under_many_keys_are_each_streams_own(count):
    found = keyed_words(KEYS, Purpose.ROUNDING, 2**32 - 1, 4095, count)
    for key, row in zip(KEYS.tolist(), found, strict=True):
        stream = Stream(key, Purpose.ROUNDING, 2**32 - 1, 4095)
        assert np.array_equal(row, stream.words(0, count)[0])


def test_more_keys_than_fit_into_one_pass():
    keys = np.arange(40_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    found = keyed_words(keys, Purpose.BATCH, 3, 0, 5)
    for i in (0, 1, 16383, 16384, 39_999):
        assert np.array_equal(found[i], Stream(int(keys[i]), Purpose.BATCH, 3).words(0, 5)[0])


def test_coordinates_that_do_not_fit_are_refused():
    with pytest.raises(BoundError, match="round"):
        keyed_words(KEYS, Purpose.BATCH, 2**32, 0, 4)


@given(st.integers(1, 12), st.lists(st.integers(0, 40), min_size=6, max_size=6))
def test_subsets_under_many_keys_are_each_streams_own(size, more):
    populations = np.array([size + m for m in more])
    found = draw_subsets(KEYS, Purpose.BATCH, 9, 2, populations, size)
    for key, population, row in zip(KEYS.tolist(), populations.tolist(), found, strict=True):
        stream = Stream(key, Purpose.BATCH, 9, 2)
        assert row.tolist() == draw_subset(stream, population, size).tolist()
        assert len(set(row.tolist())) == size
        assert 0 <= row.min() <= row.max() < population


def test_a_subset_of_all_is_all_without_a_draw():
    """As Floyd's algorithm gives it: every step adds a number that was not there."""
    found = draw_subsets(KEYS[:2], Purpose.BATCH, 0, 0, np.array([7, 7]), 7)
    assert found.tolist() == [list(range(7))] * 2
    assert draw_subset(Stream(1, Purpose.BATCH), 7, 7).tolist() == list(range(7))


BAD = st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308])
LOSS = st.one_of(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), BAD)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_derivatives_of_many_are_each_clients_own(name, data):
    """Bit for bit, also where some losses are not finite or the quotient overflows."""
    estimator = ESTIMATORS[name]
    directions, pairs = data.draw(st.sampled_from([(4, 0), (4, 2), (9, 3), (24, 8), (140, 8)]))
    pairs = pairs if name == "mean_baseline" else 0
    points = len(estimator.layout(directions, pairs).signs)
    clients = data.draw(st.integers(1, 4))
    losses = np.random.default_rng(data.draw(st.integers(0, 99))).normal(2, 1, (clients, points))
    for place in data.draw(st.lists(st.integers(0, losses.size - 1), max_size=5)):
        losses.flat[place] = data.draw(LOSS)
    with np.errstate(over="ignore", invalid="ignore"):
        found = estimator.derivatives(losses, directions, pairs, 2.0**-9)
        for c, row in enumerate(losses):
            alone = estimator.derivatives(row.copy(), directions, pairs, 2.0**-9)
            assert found.values[c].tobytes() == alone.values.tobytes()
            assert found.finite[c].tobytes() == alone.finite.tobytes()
            for figure in ("loss", "odd", "even"):
                one = np.float64(getattr(alone, figure))
                assert np.array_equal(getattr(found, figure)[c], one, equal_nan=True)


@pytest.mark.parametrize("bits", [1, 2, 5, 16, 24])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 129, 520])
def test_integers_of_many_are_each_clients_own(bits, count):
    quantiser = Quantiser(bits, -10)
    derivatives = np.random.default_rng(bits).normal(0, quantiser.limit * 2.0**-10, (6, count))
    words = rounding_rows(KEYS, 5, 1, count)
    rows = quantiser.quantise_rows(derivatives, words)
    for key, derivative, word, row in zip(KEYS.tolist(), derivatives, words, rows, strict=True):
        assert np.array_equal(word, rounding_words(key, 5, 1, count))
        alone = quantiser.quantise(derivative.copy(), word)
        assert row.values.tobytes() == alone.values.tobytes()
        assert (row.clips, row.energy) == (alone.clips, alone.energy)
