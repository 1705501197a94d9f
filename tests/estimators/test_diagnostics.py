"""Signal-to-noise ratio and expected cosine against a simulation that knows the truth."""

import numpy as np
import pytest

from baffle.estimators.diagnostics import quality


def test_expected_cosine_and_ratio_of_a_simulated_round():
    rng = np.random.default_rng(0)
    d, K, N, noise = 300, 200, 8, 0.7
    gradient = rng.standard_normal(d)
    cosines, expected, ratios = [], [], []
    for _ in range(40):
        own = gradient + noise * rng.standard_normal((N, d))
        z = rng.choice([-1.0, 1.0], (K, d))
        derivatives = own @ z.T
        mean = derivatives.mean(axis=0)
        estimate = mean @ z / K
        found = quality(np.mean(mean**2), np.mean(derivatives**2), N, K, d)
        cosines.append(estimate @ gradient / np.linalg.norm(estimate) / np.linalg.norm(gradient))
        expected.append(found.expected_cosine)
        ratios.append(found.signal_to_noise)
    assert np.mean(expected) == pytest.approx(np.mean(cosines), rel=0.03)
    true_ratio = gradient @ gradient / (noise**2 * d / N)
    assert np.median(ratios) == pytest.approx(true_ratio, rel=0.15)


def test_one_report_tells_no_ratio_and_no_values_tell_nothing():
    assert np.isnan(quality(1.0, 1.0, 1, 10, 10).signal_to_noise)
    assert quality(0.0, 0.0, 0, 10, 10).expected_cosine == 0
