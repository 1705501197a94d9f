"""A secret sample has the promised chances, and is cut almost never."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from baffle.errors import ConfigError
from baffle.privacy import derive_seed, poisson_sample, sample_cap, sampling_rate
from baffle.privacy.sampling import CAP_DELTA

SEED = bytes(range(32))


def test_each_example_is_taken_with_its_chance_and_on_its_own():
    seeds = [derive_seed(SEED, i.to_bytes(4, "big")) for i in range(4000)]
    taken = np.zeros((len(seeds), 6))
    for row, seed in zip(taken, seeds, strict=True):
        row[poisson_sample(seed, 6, 0.3, most=6)] = 1
    assert np.all(np.abs(taken.mean(axis=0) - 0.3) < 4 * np.sqrt(0.21 / len(seeds)))
    correlation = np.corrcoef(taken.T) - np.eye(6)
    assert np.max(np.abs(correlation)) < 4.5 / np.sqrt(len(seeds))


@given(st.integers(0, 300), st.floats(0, 1), st.integers(0, 300))
def test_numbers_are_ascending_below_the_count_and_at_most_the_cap(examples, rate, most):
    taken = poisson_sample(SEED, examples, rate, most)
    assert taken.dtype == np.int64
    assert len(taken) <= most
    assert np.all(np.diff(taken) > 0)
    assert np.all((taken >= 0) & (taken < examples))


def test_one_example_more_changes_no_other_coin():
    few, many = (poisson_sample(SEED, n, 0.5, most=1000) for n in (500, 501))
    assert np.array_equal(few, many[many < 500])


def test_no_rate_takes_none_and_a_whole_rate_all():
    assert poisson_sample(SEED, 50, 0.0, 50).size == 0
    assert poisson_sample(SEED, 50, 1.0, 50).size == 50


def test_same_seed_same_sample_another_seed_another():
    one, two = (poisson_sample(SEED, 1000, 0.5, 1000) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, poisson_sample(SEED[::-1], 1000, 0.5, 1000))


@pytest.mark.parametrize("expected", [1, 2, 8, 64, 500, 4096])
def test_a_sample_beyond_the_cap_is_as_rare_as_promised(expected):
    cap = sample_cap(expected)
    for examples in (cap + 1, 10 * expected + cap, 1000 * expected):
        chance = stats.binom.sf(cap, examples, min(1.0, expected / examples))
        assert chance <= CAP_DELTA
    assert cap < 10 * expected + 40


def test_no_more_than_the_expected_number_is_expected():
    for examples in (1, 10, 79, 80, 81, 5000):
        q = sampling_rate(0.1, examples, expected=8)
        assert q <= 0.1
        assert q * examples <= 8 + 1e-9


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(ConfigError, match="sampling rate"):
        poisson_sample(SEED, 5, rate, 5)


@pytest.mark.parametrize("expected", [0, 2**20 + 1])
def test_a_batch_out_of_range_is_refused(expected):
    with pytest.raises(ConfigError, match="expected number"):
        sample_cap(expected)
