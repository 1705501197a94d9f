"""Random draws that are a function of their coordinates alone, the same on every machine.

Only the raw words of a NumPy bit generator are used: NumPy promises that these never change, and
makes no such promise for what its Generator derives from them.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Rows


def words(count: int, purpose: str, *coordinates: int) -> NDArray[np.uint64]:
    """Uniform 64-bit words, addressed by what they are for.

    Args:
        count: how many.
        purpose: what they are for; two purposes never share a stream.
        coordinates: where, for instance (seed, client).

    Returns:
        uint64 (count,).

    Example:
        >>> bool((words(3, "example", 1) == words(5, "example", 1)[:3]).all())
        True
    """
    # repr is unambiguous ("a", 11) ≠ ("a1", 1), and SHA-256 leaves no arithmetic on seeds by which
    # two clients could meet.
    address = repr(("baffle.data", purpose, *map(int, coordinates))).encode()
    key = int.from_bytes(hashlib.sha256(address).digest()[:16], "little")
    return np.random.Philox(key=key).random_raw(count)


def permutation(length: int, purpose: str, *coordinates: int) -> Rows:
    """A random order of 0 … length − 1.

    Args:
        length: how many to put in order.
        purpose: as in `words`.
        coordinates: as in `words`.

    Returns:
        int64 (length,), each value once.

    Example:
        >>> sorted(permutation(4, "example", 1).tolist())
        [0, 1, 2, 3]
    """
    return np.argsort(words(length, purpose, *coordinates), kind="stable").astype(np.int64)


def distinct(bound: int, count: int, purpose: str, *coordinates: int) -> Rows:
    """Some of the numbers below a bound, none twice, in random order.

    Args:
        bound: numbers are 0 … bound − 1.
        count: how many to draw, at most `bound`; memory and time grow with it, not with `bound`.
        purpose: as in `words`.
        coordinates: as in `words`.

    Returns:
        int64 (count,).

    Example:
        >>> len(set(distinct(10**12, 5, "example", 1).tolist()))
        5
    """
    # Fisher and Yates' shuffle, of which only the places that were touched are stored.
    moved: dict[int, int] = {}
    drawn = np.empty(count, np.int64)
    for step, word in enumerate(words(count, purpose, *coordinates).tolist()):
        place = step + (word * (bound - step) >> 64)
        drawn[step] = moved.get(place, place)
        moved[place] = moved.get(step, step)
    return drawn
