"""Any sum that is opened has the noise that it must have, and is a discrete Gaussian in effect."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import ConfigError
from baffle.privacy import guaranteed_members, noise_limit, share_sigma
from baffle.privacy.shares import CONVOLUTION, convolution_correction


@given(st.floats(200.0, 2.0**29), st.integers(1, 300))
def test_the_guaranteed_shares_have_the_whole_variance(total, members):
    share = share_sigma(total, members, lanes=4096)
    assert members * Fraction(share) ** 2 >= Fraction(total) ** 2
    assert share <= total / members**0.5 * (1 + 2**-50)


def test_more_survivors_have_more_noise_and_one_alone_has_all():
    assert share_sigma(1234.5, 1, lanes=10) == 1234.5
    shares = [share_sigma(1000.0, g, lanes=10) for g in (1, 2, 5, 50)]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(("sigma", "members"), [(0.6, 2), (0.8, 3), (1.0, 2), (1.0, 4), (1.2, 3)])
def test_the_correction_bounds_what_a_sum_of_shares_is_off_by(sigma, members):
    reach = noise_limit(sigma)
    mass = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    mass /= mass.sum()
    summed = mass
    for _ in range(members - 1):
        summed = np.convolve(summed, mass)
    half = len(summed) // 2
    places = np.arange(-half, half + 1)
    ideal = np.exp(-(places**2) / (2 * members * sigma**2))
    ideal /= ideal.sum()
    near = np.abs(places) < 5 * sigma * members**0.5  # beyond, float64 sums the cut's error
    off = np.max(np.abs(np.log(summed[near] / ideal[near])))
    assert off <= convolution_correction(sigma, members) + 1e-9


@given(st.floats(0.5, 4.0), st.integers(2, 500))
def test_the_correction_is_the_published_sum_or_a_little_more(sigma, members):
    k = np.arange(1, members)
    exact = 10 * np.sum(np.exp(-2 * np.pi**2 * sigma**2 * k / (k + 1)))
    found = convolution_correction(sigma, members)
    assert exact * (1 - 1e-9) <= found <= 1.5 * exact + 1e-300


def test_shares_too_small_to_add_up_are_refused_with_the_figures():
    with pytest.raises(ConfigError, match=r"σ = 10 steps in 100 shares leaves each with 1 steps"):
        share_sigma(10.0, 100, lanes=64)


def test_two_steps_are_enough_for_usual_sizes():
    assert 64 * convolution_correction(2.0, 1000) < CONVOLUTION
    assert share_sigma(2.0 * 10, 100, lanes=64) == 2.0


def test_who_may_collude_does_not_count():
    assert guaranteed_members(9, 1) == 8
    assert guaranteed_members(1, 0) == 1
    for least, colluding in ((3, 3), (1, 1), (0, 0), (5, -1)):
        with pytest.raises(ConfigError, match="may collude"):
            guaranteed_members(least, colluding)
