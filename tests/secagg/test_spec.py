"""k, t and the least number follow from what must be withstood."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import ConfigError
from baffle.secagg import SecureSpec, parameters
from baffle.secagg.spec import of_group
from baffle.secagg.tails import most_marked, run_is_unlikely

SPECS = [
    SecureSpec(min_group=2),
    SecureSpec(min_group=2, collusion=0.2, dropout=0.2),
    SecureSpec(min_group=2, collusion=0.0, dropout=0.05, failure_bits=20),
    SecureSpec(min_group=2, most_neighbours=0),
    SecureSpec(min_group=2, most_neighbours=1000),
]


def tail(population: int, marked: int, drawn: int, above: int) -> Fraction:
    """Return the chance of more than `above` marked ones: the definition, slowly."""
    most = min(marked, drawn)
    ways = sum(
        comb(marked, i) * comb(population - marked, drawn - i) for i in range(above + 1, most + 1)
    )
    return Fraction(ways, comb(population, drawn))


@given(st.integers(2, 120), st.data())
def test_tails(population, data):
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(1, population))
    times, bits = data.draw(st.integers(1, 500)), data.draw(st.integers(1, 60))
    c = most_marked(population, marked, drawn, times, bits)
    allowed = Fraction(1, 2**bits)
    assert times * tail(population, marked, drawn, c) < allowed
    assert c == 0 or times * tail(population, marked, drawn, c - 1) >= allowed


def test_runs_on_a_ring_are_as_rare_as_claimed():
    rng = np.random.default_rng(1)
    bad = np.zeros((20_000, 20), dtype=bool)
    bad[:, :8] = True
    bad = rng.permuted(bad, axis=1)
    run = np.logical_and.reduce([np.roll(bad, -i, axis=1) for i in range(4)]).any(axis=1).mean()
    bound = 20 * comb(8, 4) / comb(20, 4)
    assert run <= bound
    assert run_is_unlikely(20, 8, 4, 0) == (bound < 1)
    assert not run_is_unlikely(20, 8, 4, 2)
    assert run_is_unlikely(20, 3, 4, 80)  # three cannot stand four times in a row


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 10, 31, 32, 33, 64, 100, 200, 300, 1000])
def test_what_the_numbers_promise(n, spec):
    found = parameters(n, spec)
    k, t, c = found.neighbours, found.threshold, found.colluding
    assert found.members == n
    assert 1 <= t <= k <= n - 1
    assert found.complete or k % 2 == 0
    assert t + 1 <= found.least <= n
    if n > 2:
        assert c < 2 * t - k
        assert c < t
    if found.complete:
        assert c == found.colluders
        return
    chance = Fraction(1, 2**spec.failure_bits)
    assert n * tail(n - 1, found.colluders, k, c) < chance / 2
    assert n * tail(n - 1, found.dropouts, k, k - t) < Fraction(1, 2**20)
    assert run_is_unlikely(n, found.colluders + found.dropouts, k // 2, spec.failure_bits + 1)
    assert found.one_list == (3 * t > 2 * k + 2 * c + 1)
    assert k <= spec.most_neighbours or not found.one_list


def test_the_least_number_of_neighbours_is_taken():
    assert [parameters(n, SecureSpec()).neighbours for n in (10, 100, 200, 300, 1000)] == [
        9, 42, 80, 52, 78,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n", "least"), [(2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (10, 9), (15, 13), (30, 27), (100, 90)]
)
def test_least(n, least):
    assert parameters(n, SecureSpec(min_group=2)).least == least


def test_shares_of_a_group_are_decimal():
    assert of_group(0.1, 30) == 3  # 0.1 is a little more than a tenth as a binary fraction
    assert of_group(0.07, 100) == 7
    assert of_group(0.05, 30) == 2
    assert of_group(0, 30) == 0


def test_description():
    said = parameters(1000, SecureSpec()).describe()
    assert "1000 clients, 78 neighbours each, any 52" in said
    assert "2^-40" in said
    assert "not held to one list" in said
    assert "list" not in parameters(100, SecureSpec()).describe()
    assert "2^" not in parameters(10, SecureSpec()).describe()


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_group": 1}, {"collusion": -0.1}, {"collusion": 0.31}, {"dropout": 0.4},
        {"dropout": float("nan")}, {"failure_bits": 9}, {"failure_bits": 81},
        {"most_neighbours": -1},
    ],
)  # fmt: skip
def test_out_of_range(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SecureSpec(**wrong)


@pytest.mark.parametrize("n", [1, 2, 16385])
def test_groups_of_a_wrong_size(n):
    with pytest.raises(ConfigError, match="groups of 3 to 16384"):
        parameters(n, SecureSpec())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 400), st.floats(0, 0.3), st.floats(0, 0.3), st.integers(10, 80))
def test_every_group_has_numbers(n, collusion, dropout, bits):
    found = parameters(n, SecureSpec(2, collusion, dropout, bits))
    assert found.threshold < found.least <= n
    assert found.threshold <= found.neighbours
