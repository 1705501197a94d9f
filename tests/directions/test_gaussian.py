"""The Gaussian table's stated moments."""

import numpy as np
import pytest

from baffle.directions.gaussian import Gaussian, magnitude_table, moments


def test_moments_are_those_stated():
    variance, kurtosis = moments()
    assert abs(variance - 1) < 1e-6
    assert kurtosis == pytest.approx(2.99925, abs=1e-4)
    assert magnitude_table().max() == Gaussian.peak
    assert magnitude_table().max() / 4096 == pytest.approx(4.325, abs=1e-3)


def test_the_table_is_ascending_and_positive():
    assert (np.diff(magnitude_table()) >= 0).all()
    assert magnitude_table().min() >= 0
