"""Who is asked: every subset equally likely, a function of (key, round), in the cohort's memory."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.cohort import chance, cohort_size, draw_cohort
from baffle.errors import ConfigError


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1), st.data())
def test_a_cohort_is_distinct_ascending_in_range_and_drawn_again_alike(key, round, data):
    clients = data.draw(st.integers(1, 2**32 - 1))
    size = data.draw(st.integers(1, min(clients, 50)))
    drawn = draw_cohort(key, round, clients, size)
    assert len(drawn) == size
    assert (np.diff(drawn) > 0).all()
    assert 0 <= drawn[0] <= drawn[-1] < clients
    assert np.array_equal(drawn, draw_cohort(key, round, clients, size))


def test_every_client_is_asked_equally_often():
    clients, size, rounds = 20, 5, 2000
    counts = np.bincount(
        np.concatenate([draw_cohort(1, r, clients, size) for r in range(rounds)]),
        minlength=clients,
    )
    expected = rounds * size / clients
    # Without replacement the counts' variance is smaller by the share that is not drawn.
    variance = expected * (1 - size / clients) * clients / (clients - 1)
    found = ((counts - expected) ** 2).sum() / variance
    assert 4.9 < found < 50.8  # chi-square of 19 degrees: 0.05 % on either side


def test_every_subset_is_equally_likely():
    rounds, subsets = 4000, list(itertools.combinations(range(5), 2))
    drawn = [tuple(draw_cohort(2, r, 5, 2).tolist()) for r in range(rounds)]
    counts = np.array([drawn.count(s) for s in subsets])
    expected = rounds / len(subsets)
    assert 0.9 < ((counts - expected) ** 2 / expected).sum() < 29.7  # 9 degrees, as above


def test_rounds_and_keys_have_cohorts_of_their_own():
    drawn = {tuple(draw_cohort(k, r, 1000, 8)) for k in range(10) for r in range(10)}
    assert len(drawn) == 100


def test_a_cohort_of_all_is_all():
    assert draw_cohort(0, 3, 7, 7).tolist() == list(range(7))


def test_memory_is_the_cohorts_whatever_the_roster():
    draw_cohort(0, 0, 1000, 20)
    tracemalloc.start()
    draw_cohort(0, 1, 2**32 - 1, 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(("clients", "size"), [(5, 0), (5, 6), (0, 0), (2**32, 1)])
def test_an_impossible_cohort_is_refused(clients, size):
    with pytest.raises(ConfigError, match=f"cohort {size} of {clients}"):
        draw_cohort(0, 0, clients, size)


@pytest.mark.parametrize(
    ("args", "size"),
    [((10, 0.5), 5), ((10, 1.0), 10), ((10, 0.01), 1), ((10, 0.5, 3), 3), ((1, 0.5), 1)],
)
def test_the_size_of_a_cohort(args, size):
    assert cohort_size(*args) == size


@pytest.mark.parametrize(
    ("args", "said"),
    [((0, 0.5), "at least one"), ((10, 0.0), "participation"), ((10, 1.5), "participation"),
     ((10, 0.5, 11), "cohort"), ((10, 0.5, -1), "cohort")],
)  # fmt: skip
def test_an_impossible_size_is_refused(args, said):
    with pytest.raises(ConfigError, match=said):
        cohort_size(*args)


def test_chance_is_uniform_and_a_clients_own():
    everyone = np.arange(20_000)
    shares = chance(5, 2, 0, everyone)
    assert ((shares > 0) & (shares < 1)).all()
    for below in (0.1, 0.5, 0.9):  # five standard deviations
        assert (shares < below).mean() == pytest.approx(
            below, abs=5 * np.sqrt(below * (1 - below) / 20_000)
        )
    assert np.array_equal(chance(5, 2, 0, everyone[::7]), shares[::7])


def test_kinds_of_fault_rounds_and_keys_are_independent():
    everyone = np.arange(20_000)
    kinds = [chance(*of, everyone) for of in ((5, 2, 0), (5, 2, 1), (5, 3, 0), (6, 2, 0))]
    off = np.corrcoef(kinds) - np.eye(4)
    assert np.abs(off).max() < 5 / np.sqrt(20_000)
