"""Turns: everyone once a lap, in an order of its own; and who is asked most often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.cohort import COHORTS, most_participations, take_turns
from baffle.errors import ConfigError


@given(st.integers(0, 2**64 - 1), st.integers(1, 60), st.data())
def test_a_lap_asks_nobody_twice(key, clients, data):
    size = data.draw(st.integers(1, clients))
    rounds = clients // size
    lap = data.draw(st.integers(0, 5)) * rounds
    asked = np.concatenate([take_turns(key, lap + r, clients, size) for r in range(rounds)])
    assert len(np.unique(asked)) == len(asked) == rounds * size
    assert all((np.diff(take_turns(key, lap + r, clients, size)) > 0).all() for r in range(rounds))


def test_laps_and_keys_have_orders_of_their_own():
    first = take_turns(0, 0, 40, 4).tolist()
    assert first != take_turns(0, 10, 40, 4).tolist()
    assert first != take_turns(1, 0, 40, 4).tolist()
    assert first == take_turns(0, 0, 40, 4).tolist()


def test_nobody_is_asked_more_often_than_turns_come_round():
    assert most_participations(0, 60, 1000, 100, "turns") == 6
    assert most_participations(0, 61, 1000, 100, "turns") == 7
    assert most_participations(0, 60, 1000, 100, "drawn") > 9


@pytest.mark.parametrize("draw", COHORTS.values(), ids=COHORTS)
def test_everyone_is_asked_where_all_are(draw):
    assert draw(5, 7, 9, 9).tolist() == list(range(9))


@pytest.mark.parametrize(("clients", "size"), [(3, 0), (3, 4), (2**24 + 1, 5)])
def test_impossible_turns_are_refused(clients, size):
    with pytest.raises(ConfigError, match="to take turns"):
        take_turns(0, 0, clients, size)
