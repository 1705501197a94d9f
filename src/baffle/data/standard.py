"""Rows of features brought to mean 0 and deviation 1, by figures of the train rows alone."""

from __future__ import annotations

import numpy as np

from baffle.data.base import Floats


def standardise(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Subtract each feature's mean over the train rows and divide by its standard deviation.

    A feature that never changes becomes 0; NaN (a value that is not known) becomes 0, which is the
    mean. A real federation agrees on such figures beforehand, or sums them as securely as anything
    else: they are statistics over all clients.

    Args:
        train: float32 (n, features).
        test: float32 (m, features).

    Returns:
        Both as float32, finite.

    Example:
        >>> standardise(np.array([[1.0], [3.0]], np.float32), np.array([[np.nan]], np.float32))[0]
        array([[-1.],
               [ 1.]], dtype=float32)
    """
    wide = train.astype(np.float64)
    known = np.isfinite(wide)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, wide, 0.0).sum(axis=0) / count
    square = np.where(known, (wide - mean) ** 2, 0.0).sum(axis=0) / count
    deviation = np.sqrt(square)
    deviation[deviation == 0] = np.inf
    scaled = [(part.astype(np.float64) - mean) / deviation for part in (train, test)]
    done = [np.where(np.isfinite(part), part, 0.0).astype(np.float32) for part in scaled]
    return done[0], done[1]
