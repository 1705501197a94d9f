"""scikit-learn's small digits, which need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baffle.data.base import Dataset
from baffle.data.split import every_fifth
from baffle.errors import DataError


def load(root: str | Path | None = None, *, image: bool = False) -> Dataset:
    """The 1,797 handwritten digits of 8×8 pixels that come with scikit-learn.

    Args:
        root: not used: the data are inside scikit-learn. Every loader takes it.
        image: rows as images (1, 8, 8) instead of vectors (64,).

    Returns:
        Pixels / 16, so in [0, 1]; every fifth row of each class is a test row.

    Raises:
        DataError: scikit-learn is not installed.

    Example:
        >>> load(image=True)
        Dataset('digits', 1442 train and 355 test rows of shape (1, 8, 8), 10 classes)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "digits: expected scikit-learn, which holds the data, found no such package; install "
            "baffle[data]."
        ) from error
    values, labels = load_digits(return_X_y=True)
    x = (values / 16).astype(np.float32).reshape((-1, 1, 8, 8) if image else (-1, 64))
    y = labels.astype(np.int64)
    test = every_fifth(y)
    return Dataset("digits", x[~test], y[~test], x[test], y[test], classes=10)
