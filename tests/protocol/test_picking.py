import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.protocol.picking import EVEN, pick, shares

losses = st.lists(st.floats(0, 1e6), min_size=1, max_size=20).map(np.array)


@given(losses)
def test_shares_are_probabilities_and_none_is_far_below_an_even_one(found):
    p = shares(found)
    assert p.sum() == pytest.approx(1)
    assert (p >= EVEN / len(found) - 1e-15).all()


@given(losses, st.integers(1, 8))
def test_the_picked_ones_stand_for_all_candidates(found, size):
    """Over all uniforms the weighted sum of any figure is its mean, but for a grid's edges."""
    p, figure = shares(found), np.sin(np.arange(len(found)) + 1)
    grid = (np.arange(500) + 0.5) / 500
    sums = [(c.weights * figure[c.places]).sum() for c in (pick(p, size, u) for u in grid)]
    # A candidate's share of the uniforms is met to one part of the grid at each of its edges.
    room = 2 * len(found) / 500 * size / (len(found) * size * p.min())
    assert np.mean(sums) == pytest.approx(figure.mean(), abs=room)


def test_each_stands_as_often_as_its_probability_says():
    p = np.array([0.1, 0.2, 0.7])
    counts = np.zeros(3)
    for u in np.random.default_rng(0).random(4000):
        counts += np.bincount(pick(p, 2, u).places, minlength=3)
    assert counts / 8000 == pytest.approx(p, abs=0.02)


def test_an_example_whose_loss_is_not_finite_is_hardly_picked():
    found = shares(np.array([np.nan, 0.01, 0.01, np.inf]))
    assert found[[0, 3]].tolist() == [EVEN / 4] * 2


def test_where_nothing_is_left_to_learn_all_are_alike():
    assert shares(np.zeros(4)).tolist() == [0.25] * 4


def test_places_stay_inside_at_the_edge():
    chosen = pick(np.array([0.5, 0.5]), 1, 1 - 2.0**-53)
    assert chosen.places.tolist() == [1]
    assert chosen.weights.tolist() == [1.0]
