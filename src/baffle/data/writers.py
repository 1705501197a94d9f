"""Who wrote each digit of MNIST, from the label files of QMNIST.

Yadav and Bottou: "Cold Case: The Lost MNIST Digits", NeurIPS 2019. A file is idx2-int: one row of
eight numbers a digit, (class, NIST series, writer, digit of the writer, NIST class, place in NIST,
0, 0). Train rows are in MNIST's order; the first 10,000 test rows are MNIST's test rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Labels
from baffle.data.idx import read_idx
from baffle.errors import DataError

TRAIN, TEST = "qmnist-train-labels-idx2-int", "qmnist-test-labels-idx2-int"
_COLUMNS, _WRITER = 8, 2


def read_writers(path: Path, labels: Labels) -> NDArray[Any]:
    """The NIST writer of each row.

    Args:
        path: QMNIST's file of labels, raw or gzip; rows after the last label are left out.
        labels: MNIST's labels, int64 (n,). They prove that the rows are in MNIST's order.

    Returns:
        int64 (n,).

    Raises:
        DataError: no such file, fewer rows than labels, or other labels.

    Example:
        >>> read_writers(Path("/nowhere"), np.array([5]))
        Traceback (most recent call last):
        baffle.errors.DataError: /nowhere: expected a file that can be read, got: No such file ...
    """
    table = read_idx(path, np.int32, axes=2)
    rows = len(labels)
    fits = table.shape[1] == _COLUMNS and len(table) >= rows
    if not fits or not np.array_equal(table[:rows, 0], labels):
        raise DataError(
            f"{path}: expected {rows} rows of {_COLUMNS} columns whose first is MNIST's labels, "
            f"found shape {table.shape} or other labels; remove it or fetch QMNIST's file."
        )
    return table[:rows, _WRITER].astype(np.int64)
