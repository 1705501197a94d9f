"""Noise has the discrete Gaussian's probabilities, repeats from its seed, and stays in range."""

import hashlib
import inspect

import numpy as np
import pytest
from scipy import stats

from baffle.errors import ConfigError
from baffle.privacy import derive_seed, discrete_gaussian, noise, noise_limit, share_sigma
from baffle.privacy.keystream import Keystream

SEED = bytes(range(32))
SIGMAS = [0.5, 0.75, 1.0, 2.5, 17.3, 400.0]


def masses(sigma):
    places = np.arange(-noise_limit(sigma), noise_limit(sigma) + 1)
    weights = np.exp(-(places**2) / (2 * sigma**2))
    return places, weights / weights.sum()


def chi_square(draws, sigma):
    """Return the p-value of draws under the discrete Gaussian's exact probabilities."""
    count = len(draws)
    places, mass = masses(sigma)
    found = np.bincount(draws - places[0], minlength=len(places))
    # Bins of at least 10 expected draws; the rest on each side is one bin.
    order = np.cumsum(mass)
    edges = np.flatnonzero((order > 10 / count) & (order < 1 - 10 / count) & (mass > 10 / count))
    parts = [slice(0, edges[0]), *(slice(e, e + 1) for e in edges), slice(edges[-1] + 1, None)]
    observed = np.array([found[p].sum() for p in parts])
    expected = np.array([mass[p].sum() for p in parts]) * count
    keep = expected > 5
    statistic = np.sum((observed[keep] - expected[keep]) ** 2 / expected[keep])
    return stats.chi2.sf(statistic, keep.sum() - 1)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_chi_square_against_the_exact_probabilities(sigma):
    assert chi_square(discrete_gaussian(SEED, sigma, 200_000), sigma) > 1e-3


def test_chi_square_sees_a_wrong_sigma():
    assert chi_square(discrete_gaussian(SEED, 17.3, 200_000), 17.6) < 1e-6


@pytest.mark.parametrize("sigma", SIGMAS)
def test_mean_and_variance_are_those_of_the_distribution(sigma):
    places, mass = masses(sigma)
    draws = discrete_gaussian(SEED[::-1], sigma, 200_000)
    variance = np.sum(mass * places**2)
    assert abs(draws.mean()) < 4 * np.sqrt(variance / len(draws))
    assert abs(draws.var() / variance - 1) < 4 * np.sqrt(6 / len(draws))
    assert variance < sigma**2 * (1 + 1e-12)  # Canonne, Kamath and Steinke 2020


@pytest.mark.parametrize("sigma", [2.0**16, 2.0**29.5, 2.0**30])
def test_large_sigma_is_a_gaussian(sigma):
    draws = discrete_gaussian(SEED, sigma, 50_000)
    assert stats.kstest(draws / sigma, "norm").pvalue > 1e-3
    assert np.max(np.abs(draws)) <= noise_limit(sigma)


def test_signs_are_equally_likely():
    draws = discrete_gaussian(SEED, 3.0, 200_000)
    above, below = np.sum(draws > 0), np.sum(draws < 0)
    assert abs(above - below) < 4 * np.sqrt(above + below)


def test_same_seed_same_bytes_and_a_longer_call_begins_alike():
    long, short = discrete_gaussian(SEED, 9.0, 70_000), discrete_gaussian(SEED, 9.0, 1000)
    assert np.array_equal(long[:1000], short)
    assert not np.array_equal(discrete_gaussian(derive_seed(SEED, b"2"), 9.0, 1000), short)
    digest = hashlib.sha256(long.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "167ae3ea24d1c1b6", digest


def test_batches_do_not_change_the_draws(monkeypatch):
    whole = discrete_gaussian(SEED, 6.0, 3000)
    monkeypatch.setattr(noise, "BATCH", 777)
    assert np.array_equal(discrete_gaussian(SEED, 6.0, 3000), whole)


def test_the_exact_decision_agrees_with_the_fast_one_everywhere(monkeypatch):
    fast = discrete_gaussian(SEED, 3.7, 400)
    calls = []
    exact = noise._below
    monkeypatch.setattr(noise, "_below", lambda *a: calls.append(a) or exact(*a))
    monkeypatch.setattr(noise, "MARGIN", 1.0)  # nothing is sure of being kept
    assert np.array_equal(discrete_gaussian(SEED, 3.7, 400), fast)
    assert len(calls) > 400


def test_a_word_at_the_threshold_is_decided_by_further_bits():
    sigma, place = 2.0, 3
    threshold = int(np.floor(np.exp(-(place**2) / (2 * sigma**2)) * 2.0**64))
    slack = 2**14  # float64 is that far off
    assert noise._below(SEED, sigma, place, threshold - slack, 0)
    assert not noise._below(SEED, sigma, place, threshold + slack, 0)
    first = next(
        w
        for w in range(threshold - slack, threshold + slack)
        if not noise._below(SEED, sigma, place, w, 0)
    )
    both = {noise._below(SEED, sigma, place, w, n) for n in range(64) for w in (first - 1, first)}
    assert both == {True, False}


def test_seven_shares_add_up_to_the_wanted_distribution():
    share = share_sigma(50.0, 7, lanes=1)
    seeds = [derive_seed(SEED, bytes([i])) for i in range(7)]
    total = sum(discrete_gaussian(s, share, 100_000) for s in seeds)
    assert abs(total.var() / 50**2 - 1) < 4 * np.sqrt(2 / 100_000)
    assert chi_square(total, 50.0) > 1e-3


def test_noise_has_no_public_argument():
    assert list(inspect.signature(discrete_gaussian).parameters) == ["seed", "sigma", "count"]


def test_no_draws_are_no_draws():
    assert discrete_gaussian(SEED, 5.0, 0).shape == (0,)


@pytest.mark.parametrize("sigma", [0.0, 0.49, -1.0, 2.0**30 + 1, float("nan"), float("inf")])
def test_sigma_out_of_range_is_refused(sigma):
    with pytest.raises(ConfigError, match=r"σ from 0\.5"):
        discrete_gaussian(SEED, sigma, 1)


def test_a_short_seed_is_refused_and_not_shown():
    with pytest.raises(ConfigError, match="32 bytes, got 6") as caught:
        discrete_gaussian(b"secret", 1.0, 1)
    assert "secret" not in str(caught.value).replace("secret seed", "")


@pytest.mark.parametrize("count", [-1, 2**26 + 1])
def test_too_many_draws_are_refused(count):
    with pytest.raises(ConfigError, match=r"2\^26"):
        discrete_gaussian(SEED, 1.0, count)


def test_labels_and_blocks_of_a_keystream():
    whole = Keystream(SEED, b"a").words(16)
    assert np.array_equal(Keystream(SEED, b"a", block=1).words(8), whole[8:])
    assert not np.intersect1d(Keystream(SEED, b"b").words(16), whole).size
    with pytest.raises(ConfigError, match="12 bytes"):
        Keystream(SEED, b"thirteen byte")


def test_the_keystream_is_that_of_rfc_8439():
    # Appendix A.1, test vector 1: zero key, zero nonce, counter 0.
    first = Keystream(bytes(32), b"").words(1).astype("<u8").tobytes()
    assert first.hex() == "76b8e0ada0f13d90"
