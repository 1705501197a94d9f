from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.data import hold_out, load
from baffle.data.split import every_fifth, last_fifth, rank_in_class
from baffle.errors import DataError


@given(labels=st.lists(st.integers(0, 4), max_size=60))
def test_ranks_count_earlier_rows_of_the_class(labels: list[int]) -> None:
    expected = [labels[:place].count(label) for place, label in enumerate(labels)]
    assert rank_in_class(np.array(labels, np.int64)).tolist() == expected


@given(labels=st.lists(st.integers(0, 4), max_size=60))
def test_a_fifth_of_each_class_is_test(labels: list[int]) -> None:
    test = every_fifth(np.array(labels, np.int64))
    for label in set(labels):
        rows = np.array(labels) == label
        assert test[rows].sum() == rows.sum() // 5


def test_rows_held_out_leave_the_train_rows() -> None:
    data = load("digits")
    data = replace(data, natural={"row": np.arange(len(data.train_y))})
    final, tuning = hold_out(data, per_class=20, seed=4)
    assert np.bincount(tuning.test_y).tolist() == [20] * 10
    assert len(final.train_y) + len(tuning.test_y) == len(data.train_y)
    kept = final.natural["row"]
    assert np.array_equal(data.train_y[tuning.natural_test["row"]], tuning.test_y)
    assert final.natural_test == data.natural_test
    np.testing.assert_array_equal(data.train_x[kept], final.train_x)
    held = np.delete(np.arange(len(data.train_y)), kept)
    np.testing.assert_array_equal(data.train_x[held], tuning.test_x)
    assert final.test_x is data.test_x
    assert tuning.train_x is final.train_x


def test_the_seed_decides_which() -> None:
    data = load("digits")
    first, again, other = (hold_out(data, 5, seed)[1].test_x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("per_class", [0, 140])
def test_a_class_keeps_train_rows(per_class: int) -> None:
    with pytest.raises(DataError, match=f"between 1 and 139 rows a class .* got {per_class}"):
        hold_out(load("digits"), per_class, seed=0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_the_last_fifth_of_each_group_is_marked(groups: list[int]) -> None:
    values = np.array(groups)
    marked = last_fifth(values)
    for group in set(groups):
        rows = np.flatnonzero(values == group)
        count = len(rows) // 5
        assert marked[rows].tolist() == [False] * (len(rows) - count) + [True] * count
