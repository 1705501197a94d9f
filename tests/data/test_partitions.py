from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.data import PARTITIONS, Dataset, load, partition
from baffle.data.draws import permutation
from baffle.data.flower import split
from baffle.errors import DataError

few = settings(deadline=None, max_examples=6)
seeds = st.integers(0, 2**40)


def made(labels: Any, **natural: Any) -> Dataset:
    y = np.array(labels, np.int64)
    x = np.zeros((len(y), 1), np.float32)
    return Dataset("made", x, y, x, y, classes=10, natural=natural)


def assert_exact_cover(parts: Sequence[Any], rows: int) -> None:
    """Every row once, no client empty: a partition."""
    assert all(len(part) > 0 and part.dtype == np.int64 for part in parts)
    assert sorted(np.concatenate(list(parts)).tolist()) == list(range(rows))


def assert_same(first: Sequence[Any], second: Sequence[Any]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@given(rows=st.integers(1, 60), seed=seeds, data=st.data())
@few
def test_iid_covers_in_equal_shares(rows: int, seed: int, data: st.DataObject) -> None:
    clients = data.draw(st.integers(1, rows))
    dataset = made(np.arange(rows) % 10)
    parts = partition("iid", dataset, clients, seed)
    assert len(parts) == clients
    assert_exact_cover(parts, rows)
    assert {len(part) for part in parts} <= {rows // clients, rows // clients + 1}
    assert_same(parts, partition("iid", dataset, clients, seed))


@given(
    more=st.lists(st.integers(0, 9), max_size=40),
    clients=st.integers(1, 4),
    alpha=st.sampled_from([0.3, 1.0, 100]),
    seed=seeds,
)
@few
def test_dirichlet_covers(more: list[int], clients: int, alpha: float, seed: int) -> None:
    # Five rows of each class at least: with one class alone, ten redraws may well leave a client
    # empty, which is an error and has its own test.
    labels = [*range(10)] * 5 + more
    dataset = made(labels)
    parts = partition("dirichlet", dataset, clients, seed, alpha=alpha)
    assert len(parts) == clients
    assert_exact_cover(parts, len(labels))
    assert_same(parts, partition("dirichlet", dataset, clients, seed, alpha=alpha))


@given(clients=st.integers(10, 20), classes=st.integers(1, 10), seed=seeds)
@few
def test_pathological_covers_with_exactly_so_many_classes(
    clients: int, classes: int, seed: int
) -> None:
    dataset = made(np.arange(400) % 10)
    parts = partition("pathological", dataset, clients, seed, classes_per_client=classes)
    assert len(parts) == clients
    assert_exact_cover(parts, 400)
    assert {len(np.unique(dataset.train_y[part])) for part in parts} == {classes}
    again = partition("pathological", dataset, clients, seed, classes_per_client=classes)
    assert_same(parts, again)


@given(ids=st.lists(st.sampled_from(["ann", "bob", "cyd", "dee"]), min_size=1, max_size=30))
@few
def test_natural_gives_each_id_one_client(ids: list[str]) -> None:
    dataset = made(np.arange(len(ids)) % 10, writer=np.array(ids))
    parts = partition("natural", dataset, len(set(ids)), seed=0)
    assert_exact_cover(parts, len(ids))
    assert [{ids[row] for row in part} for part in parts] == [{name} for name in sorted(set(ids))]


def test_natural_chooses_among_ids() -> None:
    dataset = made(np.arange(100) % 10, writer=np.arange(100) // 5, odd=np.arange(100) % 2)
    parts = partition("natural", dataset, 4, seed=1, column="writer")
    assert [len(part) for part in parts] == [5] * 4
    assert len(np.unique(np.concatenate(list(parts)))) == 20
    chosen = {
        tuple(part[0] for part in partition("natural", dataset, 4, seed, column="writer"))
        for seed in range(4)
    }
    assert len(chosen) > 1


@pytest.mark.parametrize("name", ["iid", "dirichlet", "pathological"])
def test_another_seed_gives_other_rows(name: str) -> None:
    data = load("digits")
    first, second = (partition(name, data, 10, seed)[0].tolist() for seed in (0, 1))
    assert first != second


def skew(data: Dataset, parts: Sequence[Any]) -> float:
    """Mean total variation distance between a client's labels and all labels, 0 to 1."""
    share = np.bincount(data.train_y, minlength=10) / len(data.train_y)
    own = [np.bincount(data.train_y[part], minlength=10) / len(part) for part in parts]
    return float(np.mean([abs(shares - share).sum() / 2 for shares in own]))


def test_the_label_skew_is_really_there() -> None:
    data = load("digits")
    found = [skew(data, partition("dirichlet", data, 10, 0, alpha=a)) for a in (0.1, 1.0, 1000.0)]
    assert found[0] > 0.6 > found[1] > 0.2 > found[2]
    assert skew(data, partition("pathological", data, 10, 0)) > 0.7
    assert skew(data, partition("iid", data, 10, 0)) < 0.15


def test_dirichlet_keeps_its_minimum_or_says_so() -> None:
    data = load("digits")
    parts = partition("dirichlet", data, 20, 3, alpha=0.3, min_rows=20)
    assert min(map(len, parts)) >= 20
    with pytest.raises(DataError, match="DirichletPartitioner can make, got: The max number"):
        partition("dirichlet", data, 20, 3, alpha=0.01, min_rows=60)


def test_dirichlet_can_balance() -> None:
    data = load("digits")
    sizes = [len(p) for p in partition("dirichlet", data, 10, 0, alpha=0.5, balance=True)]
    free = [len(p) for p in partition("dirichlet", data, 10, 0, alpha=0.5)]
    assert np.std(sizes) < np.std(free)


def test_classes_without_a_client_must_be_allowed() -> None:
    dataset = made(np.arange(100) % 10)
    with pytest.raises(DataError, match=r"60 rows have none with 4 clients .* use 10 clients"):
        partition("pathological", dataset, 4, 0, classes_per_client=1)
    parts = partition("pathological", dataset, 4, 0, classes_per_client=1, allow_unused=True)
    assert [len(part) for part in parts] == [10] * 4


@pytest.mark.parametrize(
    ("name", "clients", "options", "message"),
    [
        ("iid", 0, {}, "between 1 and 30 clients, .* got 0"),
        ("iid", 31, {}, "between 1 and 30 clients, .* got 31; .*'sampled'"),
        ("dirichlet", 31, {}, "between 1 and 30 clients"),
        ("dirichlet", 2, {"alpha": 0}, "alpha > 0 .* got alpha=0"),
        ("dirichlet", 2, {"alpha": float("nan")}, "alpha > 0 .* got alpha=nan"),
        ("dirichlet", 2, {"min_rows": 0}, "min_rows of 1 or more, got alpha=0.5 and min_rows=0"),
        ("pathological", 10, {"classes_per_client": 0}, "1 or more, got 0"),
        ("pathological", 10, {"classes_per_client": 11}, "greater than the number of unique"),
        ("pathological", 30, {"classes_per_client": 5}, "than there are samples"),
        ("natural", 4, {}, "between 1 and 3 clients, one an id of 'writer' in made, got 4"),
        ("natural", 2, {"column": "age"}, r"known: writer\), got 'age'"),
        ("iid", 2, {"alpha": 1}, "iid: expected options among none, got an unknown alpha"),
        ("natural", 2, {"colum": 1}, "natural: expected options among column, got an unknown"),
        ("shards", 2, {}, "a partition among dirichlet, iid, .* got 'shards'"),
    ],
)
def test_impossible_divisions_are_refused(
    name: str, clients: int, options: dict[str, Any], message: str
) -> None:
    dataset = made(np.arange(30) % 10, writer=np.arange(30) % 3)
    with pytest.raises(DataError, match=message):
        partition(name, dataset, clients, 0, **options)


def test_without_ids_there_is_no_natural_partition() -> None:
    with pytest.raises(DataError, match=r"ids in made \(known: none\), got None"):
        partition("natural", made(range(10)), 2, 0)


@pytest.mark.parametrize(
    ("ids", "missing"),
    [
        (np.array(["ann", None, "bob", None], dtype=object), 2),
        (np.array([1.0, 2.0, np.nan, 2.0]), 1),
    ],
)
def test_rows_without_an_id_are_counted(ids: Any, missing: int) -> None:
    with pytest.raises(DataError, match=f"every train row of made, found {missing} rows without"):
        partition("natural", made([0, 1, 2, 3], writer=ids), 2, seed=0)


def test_ids_of_kinds_that_have_no_order_are_refused() -> None:
    ids = np.array(["ann", 7, "bob", 7], dtype=object)
    with pytest.raises(DataError, match="ids of one kind in 'writer'"):
        partition("natural", made([0, 1, 2, 3], writer=ids), 2, seed=0)


@pytest.mark.parametrize("clients", [1, 7, 100])
def test_iid_is_what_flowers_partitioner_makes_of_the_same_order(clients: int) -> None:
    data = load("digits")
    order = permutation(len(data.train_y), "iid", 3)
    flower = split("IidPartitioner", {"row": order}, num_partitions=clients)
    assert_same(partition("iid", data, clients, 3), flower)


@given(ids=st.lists(st.integers(-3, 3), min_size=1, max_size=30))
@few
def test_natural_is_what_flowers_partitioner_makes(ids: list[int]) -> None:
    dataset = made(np.arange(len(ids)) % 10, writer=np.array(ids))
    flower = split("NaturalIdPartitioner", {"id": np.array(ids)}, partition_by="id")
    assert_same(partition("natural", dataset, len(set(ids)), seed=0), flower)


@pytest.mark.parametrize("name", PARTITIONS)
def test_a_negative_seed_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="a seed of 0 or more, got -1"):
        partition(name, made(range(10)), 2, seed=-1)
