"""The quantiser: unbiased in range, clipped and counted outside, the same when asked again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import ConfigError
from baffle.quantisation import Quantiser, example_words, rounding_words

BITS = st.integers(1, 24)


@settings(deadline=None, max_examples=40)
@given(BITS, st.floats(-1, 1), st.integers(-20, 20))
def test_unbiased_inside_the_range(bits, share, exponent):
    quantiser = Quantiser(bits, exponent)
    value = share * quantiser.limit * 2.0**exponent
    words = rounding_words(99, round=bits, step=0, count=20_000)
    q = quantiser.quantise(np.full(20_000, value), words).values
    spread = 1.0 if bits == 1 else 0.5
    assert q.mean() * 2.0**exponent == pytest.approx(
        value, abs=5 * spread * 2.0**exponent / np.sqrt(20_000)
    )
    assert np.abs(q).max() <= quantiser.limit


@given(BITS, st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20), st.integers(-30, 30))
def test_never_outside_the_levels_and_clips_are_counted(bits, derivatives, exponent):
    quantiser = Quantiser(bits, exponent)
    d = np.array(derivatives)
    found = quantiser.quantise(d, rounding_words(1, 0, 0, len(d)))
    assert np.abs(found.values).max() <= quantiser.limit
    assert found.clips == sum(abs(x) > quantiser.limit * 2.0**exponent for x in derivatives)
    if bits == 1:
        assert set(found.values.tolist()) <= {-1, 1}


@given(BITS)
def test_a_level_stays_that_level(bits):
    quantiser = Quantiser(bits, -3)
    levels = np.unique(np.linspace(-quantiser.limit, quantiser.limit, 9).round())
    levels = levels[levels != 0] if bits == 1 else levels
    found = quantiser.quantise(levels / 8, rounding_words(1, 0, 0, len(levels)))
    assert found.values.tolist() == levels.tolist()


def test_rounding_is_the_clients_own_and_repeats():
    assert np.array_equal(rounding_words(5, 3, 1, 10), rounding_words(5, 3, 1, 20)[:10])
    assert not np.array_equal(rounding_words(5, 3, 1, 10), rounding_words(6, 3, 1, 10))
    assert not np.array_equal(rounding_words(5, 3, 1, 10), rounding_words(5, 4, 1, 10))


@pytest.mark.parametrize("bits", [0, 25])
def test_other_bits_are_refused(bits):
    with pytest.raises(ConfigError, match="1 to 24"):
        Quantiser(bits, 0)


@pytest.mark.parametrize("bits", [22, 23, 24])
def test_the_largest_word_does_not_round_past_the_limit(bits):
    quantiser = Quantiser(bits, 0)
    words = np.array([2**32 - 1], dtype=np.uint32)
    found = quantiser.quantise(np.array([float(quantiser.limit)]), words)
    assert found.values.tolist() == [quantiser.limit]


def test_an_examples_rounding_goes_by_its_number_and_not_by_its_place():
    """So that one example more or less in a sample changes no other's integers."""
    few, more = (example_words(7, 3, 20, np.array(taken)) for taken in ([2, 9], [0, 2, 5, 9]))
    assert np.array_equal(few, more[[1, 3]])
    assert not np.array_equal(more[0], more[1])
    batch = rounding_words(7, 3, 0, 20)
    assert not any(np.array_equal(batch, row) for row in more)
