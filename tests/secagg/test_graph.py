"""The graph is regular, mutual, connected, and the same for everyone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baffle.secagg.graph import adjacency, neighbours


def reached(rows: np.ndarray) -> int:
    seen, ahead = {0}, [0]
    while ahead:
        new = set(rows[ahead.pop()].tolist()) - seen
        seen |= new
        ahead.extend(new)
    return len(seen)


@given(st.binary(min_size=32, max_size=32), st.integers(2, 80), st.integers(1, 40))
def test_regular_mutual_connected(seed, members, half):
    degree = min(2 * half, members - 1)
    rows = adjacency(seed, members, degree)
    assert rows.shape == (members, degree)
    assert (np.diff(rows, axis=1) > 0).all()  # ascending, hence nobody twice
    near = np.zeros((members, members), dtype=bool)
    near[np.arange(members)[:, None], rows] = True
    assert not near.diagonal().any()
    assert (near == near.T).all()
    assert reached(rows) == members


@given(st.binary(min_size=32, max_size=32), st.integers(2, 60), st.integers(1, 40))
def test_a_client_finds_the_servers_row(seed, members, half):
    degree = min(2 * half, members - 1)
    rows = adjacency(seed, members, degree)
    for place in (0, members // 2, members - 1):
        assert neighbours(seed, members, degree, place).tolist() == rows[place].tolist()


def test_the_shuffle_sorts_a_published_keystream():
    stream = bytes.fromhex(  # RFC 8439, A.1, test vector 1: key, nonce and counter 0
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
    )
    ring = sorted(range(8), key=lambda i: int.from_bytes(stream[8 * i : 8 * i + 8], "little"))
    for at, place in enumerate(ring):
        beside = sorted([ring[at - 1], ring[(at + 1) % 8]])
        assert neighbours(bytes(32), 8, 2, place).tolist() == beside


def test_everyone_is_a_neighbour_equally_often():
    counts = sum(
        np.bincount(neighbours(bytes([i % 256, i // 256]) + bytes(30), 21, 4, 7), minlength=21)
        for i in range(4000)
    )
    assert counts[7] == 0
    others = np.delete(counts, 7)
    assert ((others - 800) ** 2 / (800 * 0.8)).sum() < 45.3  # chi-square, 19 free, 0.1 %


@pytest.mark.parametrize("degree", [9, 20])
def test_complete(degree):
    assert neighbours(bytes(32), 10, degree, 3).tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
