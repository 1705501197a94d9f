"""Groups of a round: even, complete, and another deal in every round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.cohort import deal, group_count
from baffle.errors import ConfigError


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.data())
def test_everyone_is_in_one_group_and_sizes_differ_by_one_at_most(key, round, data):
    cohort = sorted(data.draw(st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=40)))
    groups = deal(key, round, cohort, data.draw(st.integers(1, len(cohort))))
    assert sorted(c for some in groups.members for c in some) == cohort
    sizes = [len(some) for some in groups.members]
    assert max(sizes) - min(sizes) <= 1
    assert all(list(some) == sorted(some) for some in groups.members)
    assert all(client in groups.members[groups.of(client)] for client in cohort)


def test_every_round_and_key_deals_anew_and_the_cohorts_order_does_not_matter():
    first = deal(1, 7, range(30), 5)
    assert first == deal(1, 7, list(reversed(range(30))), 5)
    assert first != deal(1, 8, range(30), 5)
    assert first != deal(2, 7, range(30), 5)


def test_any_two_clients_meet_now_and_then():
    together = sum(
        deal(3, r, range(20), 4).of(0) == deal(3, r, range(20), 4).of(1) for r in range(400)
    )
    assert 60 < together < 110  # 4 of 19 places: 84 expected, deviation 8


@pytest.mark.parametrize("groups", [0, 6])
def test_impossible_deals_are_refused(groups):
    with pytest.raises(ConfigError, match="expected 1 to 5 groups"):
        deal(0, 0, range(5), groups)


@pytest.mark.parametrize(
    ("clients", "wanted", "least", "found"),
    [(20, 8, 4, 5), (20, 2, 4, 2), (3, 8, 4, 1), (12, 0, 5, 2), (1, 0, 1, 1)],
)
def test_as_many_groups_as_the_least_size_allows(clients, wanted, least, found):
    assert group_count(clients, wanted, least) == found
