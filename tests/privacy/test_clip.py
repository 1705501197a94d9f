"""The clip keeps an integer norm exactly, changes nothing within it, and repeats everywhere."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.errors import BoundError
from baffle.privacy import clip_norm

VALUES = st.lists(st.integers(-(2**23), 2**23), min_size=1, max_size=12)


def square_sum(row):
    return sum(int(v) ** 2 for v in row)


@given(VALUES, st.integers(1, 2**23))
def test_the_norm_is_kept_and_what_is_within_it_is_unchanged(row, limit):
    values = np.array(row, dtype=np.int64)
    clipped, over = clip_norm(values, limit)
    assert clipped.dtype == np.int64
    assert square_sum(clipped) <= limit**2
    assert bool(over) == (square_sum(row) > limit**2)
    if not over:
        assert clipped.tolist() == row


@given(VALUES, st.integers(1, 2**23))
def test_it_only_shrinks_and_by_less_than_a_step_more_than_it_must(row, limit):
    clipped, over = clip_norm(np.array(row, dtype=np.int64), limit)
    factor = min(1.0, limit / math.sqrt(square_sum(row))) if over else 1.0
    for before, after in zip(row, clipped.tolist(), strict=True):
        assert before * after >= 0
        exact = abs(before) * factor
        assert exact - 1 - 1e-6 <= abs(after) <= exact + 1e-6


@given(st.lists(st.lists(st.integers(-99, 99), min_size=4, max_size=4), min_size=1, max_size=6))
def test_rows_are_clipped_as_each_would_be_alone(rows):
    values = np.array(rows, dtype=np.int64)
    clipped, over = clip_norm(values, 50)
    for i, row in enumerate(values):
        alone, flag = clip_norm(row, 50)
        assert clipped[i].tolist() == alone.tolist()
        assert over[i] == flag


@pytest.mark.parametrize("limit", [2**23 - 1, 2**23, 2**30, 2**31 - 1])
def test_the_largest_vector_does_not_wrap(limit):
    values = np.full(2**20, 2**23, dtype=np.int64)  # squares sum to 2^66, beyond int64
    clipped, over = clip_norm(values, limit)
    assert over
    assert len(clipped) * int(clipped[0]) ** 2 <= limit**2
    assert int(clipped[0]) >= limit // 2**10 - 1


def test_just_at_the_limit_is_unchanged_and_one_above_is_not():
    at, above = np.array([3, 4], dtype=np.int64), np.array([3, 5], dtype=np.int64)
    assert clip_norm(at, 5)[1].item() is False
    assert clip_norm(above, 5)[1].item() is True


def test_the_argument_is_not_written():
    values = np.array([[300, 400]], dtype=np.int64)
    clip_norm(values, 5)
    assert values.tolist() == [[300, 400]]


def test_the_bits_are_those_of_every_machine():
    rows = (np.arange(64 * 300, dtype=np.int64) * 2654435761 % 65535 - 32767).reshape(64, 300)
    clipped, _ = clip_norm(rows, 32767)
    digest = hashlib.sha256(clipped.astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "6cfda2bb7cfcd319", digest


@pytest.mark.parametrize(
    ("values", "limit", "words"),
    [
        (np.array([2**31]), 10, "within"),
        (np.array([-(2**63)]), 10, "within"),
        (np.array([1]), 0, "got 0"),
        (np.array([1]), 2**31, "got 2147483648"),
        (np.array([1.0]), 10, "float64"),
    ],
)
def test_what_could_wrap_is_refused(values, limit, words):
    with pytest.raises(BoundError, match=words):
        clip_norm(values, limit)
