"""Splits that depend on nothing but the labels' order, or on a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Dataset, Labels
from baffle.data.draws import permutation
from baffle.errors import DataError


def rank_in_class(labels: Labels) -> NDArray[np.int64]:
    """How many rows of the same class stand before each row.

    Args:
        labels: int64 (n,).

    Returns:
        int64 (n,).

    Example:
        >>> rank_in_class(np.array([7, 7, 3, 7, 3]))
        array([0, 1, 0, 2, 1])
    """
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    ranks = np.empty(len(labels), np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return ranks


def every_fifth(labels: Labels) -> NDArray[np.bool_]:
    """A fixed stratified split: marks every fifth row of each class as test.

    Args:
        labels: int64 (n,).

    Returns:
        bool (n,): True for test rows, about a fifth. No random numbers, so no library can move it.

    Example:
        >>> int(every_fifth(np.zeros(10, np.int64)).sum())
        2
    """
    return rank_in_class(labels) % 5 == 4


def last_fifth(groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Marks the last fifth of the rows of each group, for rows that stand in the order of time.

    Args:
        groups: int64 (n,), for instance a number for each person and activity.

    Returns:
        bool (n,): True for the last ⌊rows / 5⌋ of each group, so none of a group below five.

    Example:
        >>> last_fifth(np.array([1, 1, 1, 1, 1, 2])).tolist()
        [False, False, False, False, True, False]
    """
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sizes = counts[group]
    return np.asarray(rank_in_class(groups) >= sizes - sizes // 5)


def hold_out(dataset: Dataset, per_class: int, seed: int) -> tuple[Dataset, Dataset]:
    """Keeps some train rows of each class back, to tune on without looking at the test rows.

    Args:
        dataset: any data set.
        per_class: train rows a class that are kept back (the paper: 500).
        seed: which rows; the same seed keeps back the same rows on every machine.

    Returns:
        Two data sets with the same, smaller train rows: the first is tested on the test rows, the
        second on the rows kept back.

    Raises:
        DataError: a class has no more than `per_class` train rows.

    Example:
        >>> from baffle.data import load
        >>> final, tuning = hold_out(load("digits"), per_class=10, seed=0)
        >>> len(tuning.test_y), len(final.train_y) == len(tuning.train_y)
        (100, True)
    """
    fewest = np.bincount(dataset.train_y, minlength=dataset.classes).min()
    if not 0 < per_class < fewest:
        raise DataError(
            f"{dataset.name}: expected between 1 and {fewest - 1} rows a class to hold out, got "
            f"{per_class}; the smallest class has {fewest} train rows."
        )
    order = permutation(len(dataset.train_y), "hold_out", seed)
    held = np.zeros(len(order), bool)
    held[order] = rank_in_class(dataset.train_y[order]) < per_class
    final = replace(
        dataset,
        train_x=dataset.train_x[~held],
        train_y=dataset.train_y[~held],
        natural={column: ids[~held] for column, ids in dataset.natural.items()},
    )
    tuning = replace(
        final,
        test_x=dataset.train_x[held],
        test_y=dataset.train_y[held],
        natural_test={column: ids[held] for column, ids in dataset.natural.items()},
    )
    return final, tuning
