"""The masked sum is the plain sum, whoever drops out and when; with one too few there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.secagg import Abandoned, Block, Lanes, SecureSpec, SecureSum, parameters
from tests.secagg.federation import Group


def exact(group: Group, result) -> None:
    assert isinstance(result, SecureSum), result
    assert np.array_equal(result.values, group.plain(result.participants))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 33, 50])
def test_everyone_stays(n):
    group = Group(n)
    result = group.run()
    exact(group, result)
    assert result.participants == tuple(range(n))
    assert result.dropped == {"share": (), "mask": (), "unmask": ()}
    assert result.refused == {}
    assert result.parameters == parameters(n, group.spec)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 14), st.integers(1, 70), st.integers(1, 2**30), st.data())
def test_any_drops_at_any_stage(n, count, bound, data):
    lanes = Lanes((Block(count, bound),))
    group = Group(n, seed=data.draw(st.integers(0, 99)), lanes=lanes)
    some = st.sets(st.integers(0, n - 1), max_size=3)
    drops = {stage: data.draw(some) for stage in ("share", "mask", "unmask")}
    result = group.run(drops)
    stayed = set(range(n)) - drops["share"] - drops["mask"]
    answered = stayed - drops["unmask"]
    numbers = parameters(n, group.spec)
    if len(stayed) < numbers.least or len(answered) <= numbers.threshold:
        assert isinstance(result, Abandoned)
        assert result.sentence
    else:
        exact(group, result)
        assert set(result.participants) == stayed


@pytest.mark.parametrize("stage", ["share", "mask"])
@pytest.mark.parametrize("n", [5, 10, 40])
def test_down_to_the_threshold_and_one_below(n, stage):
    numbers = parameters(n, Group(n).spec)
    spare = n - numbers.least
    group = Group(n)
    exact(group, group.run({stage: set(range(1, 1 + spare))}))
    group = Group(n)
    result = group.run({stage: set(range(1, 2 + spare))})
    assert isinstance(result, Abandoned)
    assert result.reason == {"share": "shares", "mask": "masks"}[stage]
    assert not any(stage == "unmask" for stage, _ in group.asked)  # nothing was opened
    assert not hasattr(result, "values")


def test_unmasking_down_to_the_threshold_and_one_below():
    n = 10
    t = parameters(n, Group(n).spec).threshold
    group = Group(n)
    exact(group, group.run({"unmask": set(range(t + 1, n))}))
    group = Group(n)
    result = group.run({"unmask": set(range(t, n))})
    assert isinstance(result, Abandoned)
    assert result.reason == "unmask"


def test_too_small_a_group_is_not_even_asked():
    group = Group(2, spec=SecureSpec(min_group=3))
    result = group.run()
    assert isinstance(result, Abandoned)
    assert result.reason == "group"
    assert group.asked == {}


def test_drop_outs_at_every_stage_of_a_sparse_graph():
    group = Group(60, spec=SecureSpec(min_group=2, collusion=0.02))
    assert not parameters(60, group.spec).complete
    result = group.run({"share": {4, 5}, "mask": {9, 30}, "unmask": {11, 12}})
    exact(group, result)
    assert result.dropped == {"share": (4, 5), "mask": (9, 30), "unmask": (11, 12)}
    assert len(result.participants) == 56
    assert set(result.adverts) == set(range(60)) - {4, 5}


def test_round_after_round_with_the_next_keys():
    group = Group(6)
    for round_ in range(3):
        group.round = round_
        adverts = group.adverts()
        assert {a.label for a in adverts} == {round_}
        result = group.run({"unmask": {2}})
        exact(group, result)
        assert [result.adverts[c] for c in range(6)] == group.adverts()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "count"), [(2, 4096), (17, 4096), (100, 1024), (300, 4096), (300, 1)]
)
def test_large_groups_and_vectors(n, count):
    lanes = Lanes((Block(count, 32767 * 255), Block(8, 2**32)))
    numbers = parameters(n, Group(2).spec)
    spare = list(range(0, n, max(1, n // max(1, n - numbers.least))))[: n - numbers.least]
    for stage in ("share", "mask", "unmask"):
        group = Group(n, lanes=lanes)
        exact(group, group.run({stage: set(spare)}))
