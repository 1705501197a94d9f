"""Condition 4: a server that shows different lists of survivors opens one whole list, or nothing.

The rules of the protocol on a ring, without any cryptography, against servers that try: arcs of the
ring are shown different lists, from which different arcs are missing.
"""

from __future__ import annotations

import numpy as np
import pytest

N, K, COLLUDERS, TRIALS = 48, 18, 2, 4000
STRICT = (2 * K + 2 * COLLUDERS + 1) // 3 + 1
OFFSETS = np.concatenate([np.arange(-K // 2, 0), np.arange(1, K // 2 + 1)])
NEAR = np.zeros((N, N), dtype=np.int64)
NEAR[np.arange(N)[:, None], (np.arange(N)[:, None] + OFFSETS) % N] = 1


def arc(rng: np.random.Generator, longest: int) -> np.ndarray:
    found = np.zeros(N, dtype=bool)
    start, length = rng.integers(N), rng.integers(1, longest + 1)
    found[(start + np.arange(length)) % N] = True
    return found


def attack(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (honest, the lists, which of them each place is shown)."""
    honest = np.ones(N, dtype=bool)
    honest[rng.choice(N, COLLUDERS, replace=False)] = False
    lists = np.ones((rng.integers(1, 4), N), dtype=bool)
    for shown in lists:
        for _ in range(rng.integers(1, 4)):
            shown[arc(rng, K)] = False
    which = np.zeros(N, dtype=np.int64)
    for number in range(1, len(lists)):
        which[arc(rng, N)] = number
    return honest, lists, which


def sums_opened(honest: np.ndarray, lists: np.ndarray, which: np.ndarray, t: int) -> list[set]:
    """Return the sets of honest clients whose sums the server learns."""
    mine = lists[which]  # [who, about whom]
    answers = honest & mine.diagonal() & ((NEAR * mine).sum(axis=1) >= t)
    colluding = NEAR @ ~honest
    alike = NEAR * (which[:, None] == which[None, :])
    opens = answers & (alike @ answers + colluding >= t)
    alive = (NEAR * mine * opens[:, None]).sum(axis=0) + colluding >= t
    gone = (NEAR * ~mine * opens[:, None]).sum(axis=0) + colluding >= t
    assert not (honest & alive & gone).any()  # condition 1: never both
    left = set(np.flatnonzero(honest & ~gone).tolist())
    found = []
    while left:
        part, ahead = set(), [left.pop()]
        while ahead:
            place = ahead.pop()
            part.add(place)
            more = {other for other in np.flatnonzero(NEAR[place]).tolist() if other in left}
            left -= more
            ahead.extend(more)
        if all(alive[place] for place in part):
            found.append(part)
    return found


def broken(t: int, seed: int) -> tuple[int, int]:
    """Return (trials in which a sum is opened, trials in which it is not that of a whole list)."""
    rng, opened, wrong = np.random.default_rng(seed), 0, 0
    for _ in range(TRIALS):
        honest, lists, which = attack(rng)
        sums = sums_opened(honest, lists, which, t)
        whole = [set(np.flatnonzero(honest & shown).tolist()) for shown in lists]
        opened += bool(sums)
        wrong += any(part not in whole for part in sums)
    return opened, wrong


@pytest.mark.parametrize("seed", [1, 2])
def test_only_whole_lists_are_opened(seed):
    opened, wrong = broken(STRICT, seed)
    assert opened > 50  # servers do get something
    assert wrong == 0


def test_a_lower_threshold_would_not_do():
    """Condition 1 alone, with the same neighbours: some server gets a part of a list."""
    _, wrong = broken((K + COLLUDERS) // 2 + 1, 1)
    assert wrong > 0
