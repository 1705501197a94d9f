"""Masked vectors of fixed inputs are uniform, and say nothing of the input."""

from __future__ import annotations

import numpy as np
import pytest

from baffle.secagg import Block, Lanes
from tests.secagg.federation import Group

LANES = Lanes((Block(256, 127),))  # 10 bits a lane for 3 clients
RUNS, BITS, BINS = 60, 10, 32
LIMIT = 61.1  # chi-square, 31 free, one in a thousand


def masked(vector: np.ndarray, seeds: range) -> np.ndarray:
    """Return what the server sees of client 0's vector in runs under fresh private bytes."""
    found = []
    for seed in seeds:
        group = Group(3, seed=seed, lanes=LANES, values=dict.fromkeys(range(3), vector))
        group.until("unmask")
        found.append(LANES.unpack(group.answered["mask", 0][10:], 3))
    return np.concatenate(found).astype(np.int64)


@pytest.fixture(scope="module")
def seen():
    """Return by input: all zeros, and all at the bound."""
    zeros = np.zeros(256, dtype=np.int64)
    return masked(zeros, range(RUNS)), masked(zeros + 127, range(RUNS, 2 * RUNS))


def chi_square(bins: np.ndarray) -> float:
    counts = np.bincount(bins, minlength=BINS)
    expected = len(bins) / BINS
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("shift", [0, BITS - 5], ids=["low bits", "high bits"])
@pytest.mark.parametrize("which", [0, 1])
def test_uniform(seen, which, shift):
    assert chi_square((seen[which] >> shift) & 31) < LIMIT


def test_every_bit_is_a_fair_coin(seen):
    for words in seen:
        ones = ((words[:, None] >> np.arange(BITS)) & 1).mean(axis=0)
        assert np.abs(ones - 0.5).max() < 4 * 0.5 / np.sqrt(len(words))


def test_independent_of_the_input(seen):
    counts = np.array([np.bincount(words >> (BITS - 5), minlength=BINS) for words in seen])
    mean = counts.mean(axis=0)
    assert ((counts - mean) ** 2 / mean).sum() < LIMIT


def test_lanes_of_one_vector_are_independent(seen):
    words = seen[0].reshape(RUNS, -1) - 2 ** (BITS - 1)
    a, b = words[:, :-1].ravel(), words[:, 1:].ravel()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


def test_two_rounds_have_two_masks():
    vector = np.zeros(256, dtype=np.int64)
    group = Group(3, lanes=LANES, values=dict.fromkeys(range(3), vector))
    group.run()
    first = group.answered["mask", 0]
    group.round += 1
    group.run()
    assert np.mean(np.array(list(first)) == np.array(list(group.answered["mask", 0]))) < 0.1


def test_two_missing_shares_of_the_sum_leave_it_uniform():
    """The masked vectors of all but one client add up to nothing that can be read."""
    found = []
    for seed in range(RUNS):
        group = Group(3, seed=seed, lanes=LANES, values={c: np.zeros(256, int) for c in range(3)})
        group.until("unmask")
        some = [LANES.unpack(group.answered["mask", c][10:], 3) for c in (0, 1)]
        found.append((sum(some) & np.uint64(1023)).astype(np.int64))
    assert chi_square(np.concatenate(found) >> (BITS - 5)) < LIMIT
