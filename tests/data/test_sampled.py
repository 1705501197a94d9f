from __future__ import annotations

import pickle
import tracemalloc
from functools import cache
from typing import Any

import numpy as np
import pytest

from baffle.data import Dataset, load, partition
from baffle.errors import DataError


@cache
def digits() -> Dataset:
    return load("digits")


def roster(clients: int = 1_000_000, seed: int = 7, **options: Any) -> Any:
    return partition("sampled", digits(), clients, seed, **options)


def test_golden() -> None:
    clients = roster(rows_per_client=5)
    assert clients[0].tolist() == [1009, 50, 623, 1122, 1279]
    assert clients[999_999].tolist() == [1415, 945, 193, 376, 191]


def test_a_million_clients_cost_no_memory() -> None:
    roster(clients=1)  # imports, and the data set itself
    tracemalloc.start()
    clients = roster(rows_per_client=50)
    for client in (0, 123_456, 999_999):
        assert len(clients[client]) == 50
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000  # bytes
    assert len(pickle.dumps(clients)) < 500


def test_a_client_does_not_depend_on_the_roster() -> None:
    np.testing.assert_array_equal(roster(clients=10)[3], roster()[3])


def test_clients_and_seeds_differ() -> None:
    rows = {roster(seed=seed)[client].tobytes() for seed in (0, 1) for client in range(20)}
    assert len(rows) == 40


def test_it_is_a_sequence() -> None:
    clients = roster(clients=5, rows_per_client=2)
    assert [rows.tolist() for rows in clients] == [clients[i].tolist() for i in range(5)]
    np.testing.assert_array_equal(clients[-1], clients[4])
    np.testing.assert_array_equal(clients[1:4][1], clients[2])
    assert len(clients[::2]) == 3
    with pytest.raises(IndexError):
        clients[5]


def test_a_client_may_hold_every_row() -> None:
    assert sorted(roster(rows_per_client=1442)[0].tolist()) == list(range(1442))


@pytest.mark.parametrize(("clients", "rows"), [(0, 1), (1, 0), (1, 1443)])
def test_impossible_rosters_are_refused(clients: int, rows: int) -> None:
    with pytest.raises(DataError, match="sampled: expected 1 client or more with 1 to 1442 rows"):
        roster(clients=clients, rows_per_client=rows)
