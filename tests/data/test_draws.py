from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from baffle.data.draws import distinct, permutation, words

seeds = st.integers(0, 2**130)


def test_golden() -> None:
    drawn = [hex(word) for word in words(3, "golden", 0, 1).tolist()]
    assert drawn == ["0x4ffe246002b75acf", "0x700e6f7f977da7bb", "0xd0c7113149ad2dce"]
    assert permutation(8, "golden", 0).tolist() == [5, 3, 6, 1, 7, 0, 2, 4]
    assert distinct(100, 5, "golden", 0).tolist() == [83, 78, 88, 25, 93]


def test_every_part_of_the_address_counts() -> None:
    addresses = [("a", 1, 11), ("a", 11, 1), ("a", 111), ("a1", 11), ("b", 1, 11)]
    assert len({words(1, purpose, *rest).item() for purpose, *rest in addresses}) == 5


def test_numpy_integers_address_the_same_words() -> None:
    assert words(1, "a", int(np.int64(3))) == words(1, "a", np.int64(3))  # type: ignore[arg-type]


@given(length=st.integers(0, 200), seed=seeds)
def test_a_permutation_holds_each_once(length: int, seed: int) -> None:
    assert sorted(permutation(length, "p", seed).tolist()) == list(range(length))


@given(bound=st.integers(1, 10**15), seed=seeds, data=st.data())
def test_distinct_numbers_are_distinct_and_below_the_bound(
    bound: int, seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, min(bound, 50)))
    drawn = distinct(bound, count, "d", seed)
    assert len(set(drawn.tolist())) == count
    assert ((drawn >= 0) & (drawn < bound)).all()


@given(bound=st.integers(1, 60), seed=seeds)
def test_all_below_the_bound_are_a_permutation(bound: int, seed: int) -> None:
    assert sorted(distinct(bound, bound, "d", seed).tolist()) == list(range(bound))


def test_distinct_numbers_are_evenly_drawn() -> None:
    counts = np.zeros(10)
    for seed in range(3000):
        counts[distinct(10, 3, "even", seed)] += 1
    # 900 expected each, standard deviation 25
    assert (abs(counts - 900) < 125).all()


def test_global_random_state_is_not_touched() -> None:
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
    permutation(10, "p", 0)
    distinct(10, 3, "d", 0)
    assert before == (random.getstate(), np.random.get_state()[1].tobytes())  # noqa: NPY002
