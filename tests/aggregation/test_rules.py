"""Rules against known answers from outside, and the parts that they are made of."""

import doctest
import importlib
import math
import pkgutil
import statistics
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import trim_mean

import baffle.aggregation.rules as package
from baffle.aggregation.rules import (
    as_means,
    common_weight,
    make_rule,
    portion,
    robust_counters,
)
from baffle.aggregation.rules import distances as distances_module
from baffle.aggregation.rules.distances import squared_distances
from baffle.errors import BoundError, ConfigError

MODULES = [m.name for m in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"{package.__name__}.{module}"))
    assert results.failed == 0


@pytest.mark.parametrize("n", [3, 4, 9, 10, 57])
def test_median_and_trimmed_mean_agree_with_other_peoples(n):
    rows = np.random.default_rng(n).integers(-(2**20), 2**20, (n, 7))
    median = make_rule("median").combine(rows)
    assert (median.values / median.weight).tolist() == [
        statistics.median(column) for column in rows.T.tolist()
    ]
    if n >= 5:
        trimmed = make_rule("trimmed_mean").combine(rows)
        assert trimmed.values / trimmed.weight == pytest.approx(trim_mean(rows, 0.2, axis=0))


def test_krum_by_hand():
    """n = 5, f = 1: two nearest. On a line at 0, 1, 3, 4, 100 the scores are 10, 5, 5, 10, …"""
    rows = np.array([[0], [1], [3], [4], [100]])
    assert make_rule("krum").combine(rows).used == (1,)  # 1 and 3 tie; the lesser content wins
    assert make_rule("krum").combine(rows[::-1]).used == (3,)
    assert make_rule("krum").combine(-rows).values.tolist() == [-3]
    assert make_rule("multi_krum").combine(rows).values.tolist() == [4]


@pytest.mark.parametrize(
    ("name", "expected"), [("sum", 1.0), ("median", math.pi / 2), ("krum", 101.0)]
)
def test_the_price_in_noise_is_as_documented(name, expected):
    """Squared error over that of the mean, for 101 normal reports; Krum's is about one report's."""
    rows = np.rint(1000 * np.random.default_rng(0).standard_normal((101, 4000))).astype(np.int64)
    found = make_rule(name).combine(rows)
    error = np.mean((found.values / found.weight) ** 2) * 101 / 1000**2
    assert error == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("size", [1, 2**15, 2**24, 2**40, 2**62])
@pytest.mark.parametrize("length", [1, 5, 33])
def test_distances_are_pythons_in_any_blocks(monkeypatch, size, length):
    rows = np.random.default_rng(length).integers(-size, size, (9, length), endpoint=True)
    rows[0], rows[1] = size, -size
    slow = [
        [sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for y in rows.tolist()]
        for x in rows.tolist()
    ]
    for block in (256, 4, 1):
        monkeypatch.setattr(distances_module, "BLOCK", block)
        assert np.concatenate(list(squared_distances(rows))).tolist() == slow


@pytest.mark.parametrize("length", [2**13 - 1, 2**13])
def test_long_rows_do_not_round(length):
    """Where sums of products would first pass 2^53: every entry at 24 bits, one unit apart."""
    rows = np.full((3, length), 2**23 - 1)
    rows[1, 0] -= 1
    rows[2, :2] -= 1
    assert next(squared_distances(rows)).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


def test_norm_bound_shortens_only_what_is_too_long():
    rows = np.array([[3, 4], [-6, 8], [-30, 40], [0, 10]])  # lengths 5, 10, 50, 10
    bounded = make_rule("norm_bound").bounded(rows)
    # 10/50 on the grid of 2^-32 is a little less than 1/5, and truncation takes the rest.
    assert bounded.tolist() == [[3, 4], [-6, 8], [-5, 7], [0, 10]]
    half = make_rule("norm_bound", multiple=0.5).bounded(rows)
    assert half.tolist() == [[3, 4], [-3, 4], [-2, 3], [0, 5]]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3), min_size=3, max_size=9
    ),
    st.sampled_from([0.3, 1.0, 2.5]),
)
def test_no_row_is_longer_than_the_bound_nor_much_shorter(rows, multiple):
    bounded = make_rule("norm_bound", multiple=multiple).bounded(np.array(rows)).tolist()
    squares = [sum(x * x for x in row) for row in rows]
    limit = Fraction(str(multiple)) ** 2 * sorted(squares)[(len(rows) - 1) // 2]
    for row, short, square in zip(rows, bounded, squares, strict=True):
        assert sum(x * x for x in short) <= limit
        if square <= limit:
            assert short == row
            continue
        for x, y in zip(row, short, strict=True):
            exact = math.isqrt(x * x * math.floor(limit) // square)
            # Less than 1 by truncation, and 2^-32 of the entry by the scale's own grid.
            assert exact - 1 - abs(x) // 2**32 <= abs(y) <= exact
            assert x * y >= 0


SIZES = st.lists(st.integers(1, 200), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(SIZES, st.data())
def test_means_at_a_common_weight_are_the_groups_means(sizes, data):
    largest = data.draw(st.sampled_from([10, 2**23 * 200, 2**50]))
    sums = [data.draw(st.integers(-largest, largest)) for _ in sizes]
    try:
        rows, weight = as_means(np.array(sums)[:, None], sizes)
    except BoundError:
        worst = max(abs(s) / n for s, n in zip(sums, sizes, strict=True))
        assert worst * common_weight(sizes) >= 2**62
        return
    for row, total, size in zip(rows[:, 0].tolist(), sums, sizes, strict=True):
        off = abs(Fraction(row, weight) - Fraction(total, size))
        assert off <= Fraction(1, 2 * weight)
        if weight % size == 0:
            assert off == 0


def test_groups_of_one_size_stay_as_they_are():
    sums = np.array([[5, -7], [0, 2**60]])
    rows, weight = as_means(sums, [30, 30])
    assert np.array_equal(rows, sums)
    assert weight == 30


def test_halves_go_up_on_both_sides_of_zero():
    """Sizes whose multiple is cut to 64 · 199: 12,736 · 1 / 128 = 99.5."""
    rows, weight = as_means(np.array([[1], [-1], [1], [1]]), [128, 128, 199, 197])
    assert weight == 64 * 199
    assert rows[:2, 0].tolist() == [100, -99]


def test_group_sums_that_do_not_fit_are_refused():
    with pytest.raises(BoundError, match="64 bits"):
        as_means(np.array([[2**62], [1]]), [1, 64])
    assert as_means(np.array([[2**62], [1]]), [64, 32])[0].tolist() == [[2**62], [2]]


@pytest.mark.parametrize("sizes", [[], [3, 0], [3, -1]])
def test_a_group_of_nobody_is_refused(sizes):
    with pytest.raises(ConfigError, match="at least one client"):
        as_means(np.zeros((len(sizes), 2), dtype=np.int64), sizes)


def test_a_size_is_needed_for_each_group():
    with pytest.raises(ConfigError, match="each of 3 groups, got 2"):
        as_means(np.zeros((3, 2), dtype=np.int64), [4, 4])


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=12), st.randoms())
def test_counters_of_a_minority_steer_nothing(honest, chance):
    hostile = [chance.choice([0, 2**50]) for _ in range((len(honest) - 1) // 2)]
    mixed = honest + hostile
    chance.shuffle(mixed)
    total = int(robust_counters(np.array(mixed)[:, None])[0])
    assert total == statistics.median(sorted(mixed)) * len(mixed)
    assert min(honest) * len(mixed) <= total <= max(honest) * len(mixed)


def test_counters_that_agree_are_their_sum():
    rows = np.tile(np.array([7, 0, 1, 2**40, 3, 9]), (10, 1))
    assert np.array_equal(robust_counters(rows), rows.sum(axis=0))


def test_counters_of_nobody_or_beyond_64_bits_are_refused():
    with pytest.raises(ConfigError, match="at least one report"):
        robust_counters(np.zeros((0, 6), dtype=np.int64))
    with pytest.raises(BoundError, match="counters"):
        robust_counters(np.full((2, 1), 2**62))


@given(st.decimals(0, 1, places=4), st.integers(0, 10_000))
def test_a_portion_is_that_of_the_written_share(share, count):
    assert portion(float(share), count) == math.floor(Decimal(share) * count)
