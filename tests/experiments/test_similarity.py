"""PSNR and SSIM against closed forms and a slow reading of the publication."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.inversion.similarity import mean_squared_error, psnr, ssim


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    one = rng.random((3, 2, 14, 13))
    return one, np.clip(one + 0.2 * rng.standard_normal(one.shape), 0, 1)


def slow_ssim(a, b):
    """Wang et al. 2004, equation (13), window by window, as it is written."""
    places = np.arange(-5, 6)
    window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mean_p, mean_q = np.sum(window * p), np.sum(window * q)
            var_p, var_q = np.sum(window * (p - mean_p) ** 2), np.sum(window * (q - mean_q) ** 2)
            both = np.sum(window * (p - mean_p) * (q - mean_q))
            light = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
            found.append(light * (2 * both + 9e-4) / (var_p + var_q + 9e-4))
    return np.mean(found)


def test_ssim_is_the_published_formula(images):
    one, other = images
    wanted = [
        np.mean([slow_ssim(a, b) for a, b in zip(*pair, strict=True)])
        for pair in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(ssim(one, other), wanted, rtol=1e-9)
    assert np.all(ssim(one, other) < 0.99)


def test_equal_images_are_as_alike_as_can_be_and_ssim_has_no_order(images):
    one, other = images
    np.testing.assert_allclose(ssim(one, one), 1.0)
    np.testing.assert_allclose(psnr(one, one), 100.0)
    np.testing.assert_allclose(ssim(one, other), ssim(other, one))


def test_flat_images_differ_by_their_light_alone():
    a, b = (np.full((1, 1, 12, 12), value) for value in (0.2, 0.6))
    wanted = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim(a, b)[0] == pytest.approx(wanted)
    assert mean_squared_error(a, b)[0] == pytest.approx(0.16)
    assert psnr(a, b)[0] == pytest.approx(-10 * math.log10(0.16))
