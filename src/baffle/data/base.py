"""What every loader returns: one labelled data set, in memory, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DataError

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
"""Indices of train rows, shape (n,)."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A labelled data set in memory, which checks itself when it is made.

    Args:
        name: what it is called in reports and messages.
        train_x: float32 (n, *in_shape), finite; images are (n, channels, height, width).
        train_y: int64 (n,), each in 0 … classes − 1.
        test_x: float32 (m, *in_shape), finite.
        test_y: int64 (m,), each in 0 … classes − 1.
        classes: number of classes, at least 2.
        natural: columns of ids for the train rows, each (n,), for instance {"writer": …}.
        natural_test: the same for the test rows, each (m,), where it is known whose they are.

    Raises:
        DataError: an array is empty, of the wrong type or shape, not finite, or a label is outside
            the classes.

    Example:
        >>> x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
        >>> Dataset("toy", x, y, x, y, classes=2)
        Dataset('toy', 4 train and 4 test rows of shape (2,), 2 classes)
    """

    name: str
    train_x: Floats
    train_y: Labels
    test_x: Floats
    test_y: Labels
    classes: int
    natural: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    natural_test: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise DataError(
                f"{self.name}: expected at least 2 classes, got {self.classes}; a data set to "
                "classify needs more than one label."
            )
        _check_split(f"{self.name}: train", self.train_x, self.train_y, self.classes)
        _check_split(f"{self.name}: test", self.test_x, self.test_y, self.classes)
        if self.test_x.shape[1:] != self.in_shape:
            raise DataError(
                f"{self.name}: expected test rows of the train rows' shape {self.in_shape}, got "
                f"{self.test_x.shape[1:]}; prepare both in the same way."
            )
        for column, ids in self.natural.items():
            _check_ids(f"{self.name}: natural[{column!r}]", ids, len(self.train_y), "train")
        for column, ids in self.natural_test.items():
            _check_ids(f"{self.name}: natural_test[{column!r}]", ids, len(self.test_y), "test")

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape of one row, as `baffle.models.build` takes it."""
        return self.train_x.shape[1:]

    def __repr__(self) -> str:
        ids = f", natural ids: {', '.join(self.natural)}" if self.natural else ""
        return (
            f"Dataset({self.name!r}, {len(self.train_y)} train and {len(self.test_y)} test rows "
            f"of shape {self.in_shape}, {self.classes} classes{ids})"
        )


def _check_split(where: str, x: NDArray[Any], y: NDArray[Any], classes: int) -> None:
    _check_form(where, x, y)
    if len(x) != len(y) or len(x) == 0:
        raise DataError(
            f"{where}: expected as many labels as rows and at least one, got {len(x)} rows and "
            f"{len(y)} labels; pass the two halves of the same split."
        )
    # The extremes carry every NaN and infinity, and need no array of the data's size.
    if x.size == 0 or not (np.isfinite(x.min()) and np.isfinite(x.max())):
        raise DataError(
            f"{where}: expected finite values, found an empty row, NaN or infinity; drop or "
            "replace such rows first."
        )
    if y.min() < 0 or y.max() >= classes:
        raise DataError(
            f"{where}: expected labels in 0 … {classes - 1}, found {y.min()} … {y.max()}; number "
            "the classes from 0 and pass how many there are."
        )


def _check_form(where: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    if x.dtype != np.float32 or x.ndim < 2:
        raise DataError(
            f"{where}: expected rows as float32 with two or more axes, got {x.dtype} {x.shape}; "
            "convert with astype(np.float32) and give each row its own axis."
        )
    if y.dtype != np.int64 or y.ndim != 1:
        raise DataError(
            f"{where}: expected labels as int64 with one axis, got {y.dtype} {y.shape}; convert "
            "with astype(np.int64)."
        )


def _check_ids(where: str, ids: NDArray[Any], rows: int, split: str) -> None:
    if ids.shape != (rows,):
        raise DataError(
            f"{where}: expected one id a {split} row, shape ({rows},), got {ids.shape}; keep ids "
            "and rows in step."
        )
