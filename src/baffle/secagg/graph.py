"""Who shares masks with whom: a random regular graph, the same for everyone who knows the roster.

The places are shuffled onto a ring, and each is a neighbour of the k/2 before and the k/2 behind it
(the Harary graph of Bell et al. 2020). Shuffling sorts 64-bit words of a ChaCha20 keystream.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from baffle.secagg.masks import keystream


@lru_cache(maxsize=8)
def _ring(seed: bytes, members: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (who stands at each position of the ring, each one's position)."""
    ring = np.argsort(keystream(seed, members), kind="stable").astype(np.int64)
    position = np.empty_like(ring)
    position[ring] = np.arange(members)
    return ring, position


def neighbours(seed: bytes, members: int, degree: int, place: int) -> NDArray[np.int64]:
    """Return a place's neighbours, ascending.

    Args:
        seed: 32 public bytes.
        members: n.
        degree: k, even, or n - 1 for the complete graph.
        place: 0 … n - 1.
    """
    if degree >= members - 1:
        return np.delete(np.arange(members), place)
    ring, position = _ring(seed, members)
    return np.sort(ring[(position[place] + _offsets(degree)) % members])


def adjacency(seed: bytes, members: int, degree: int) -> NDArray[np.int64]:
    """Return everyone's neighbours, int64 [n, k], each row ascending."""
    if degree >= members - 1:
        rows = np.arange(members)[:, None]
        others = np.arange(members - 1)[None]
        return others + (others >= rows)
    ring, position = _ring(seed, members)
    return np.sort(ring[(position[:, None] + _offsets(degree)) % members], axis=1)


def _offsets(degree: int) -> NDArray[np.int64]:
    half = np.arange(1, degree // 2 + 1)
    return np.concatenate([-half, half])
