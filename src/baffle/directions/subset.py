"""Random subsets without replacement, in the subsets' memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.keyed import Keys, keyed_words

Numbers = NDArray[np.int64]


def draw_subset(stream: Stream, population: int, size: int) -> Numbers:
    """Draw `size` distinct numbers below `population`, ascending; every subset equally likely.

    Floyd's algorithm on 64-bit words: a number's probability is off by less than 2^-32 of itself.

    Args:
        stream: where the random words come from.
        population: 1 to 2^32.
        size: 1 to `population`.

    Example:
        >>> from baffle.directions.coordinates import Purpose
        >>> draw_subset(Stream(0, Purpose.COHORT), 5, 5).tolist()
        [0, 1, 2, 3, 4]

    Source: Bentley and Floyd, "A sample of brilliance", CACM 1987.
    """
    if size == population:
        return np.arange(population)
    only: Numbers = _subsets(stream.words(0, 2 * size), np.array([population]), size)[0]
    return only


def draw_subsets(
    keys: Keys, purpose: Purpose, round: int, step: int, populations: Numbers, size: int
) -> Numbers:
    """Draw a subset of one size under each key; int64 [keys, size].

    Row i is draw_subset(Stream(keys[i], purpose, round, step), populations[i], size).
    """
    if bool((populations == size).all()):
        return np.tile(np.arange(size), (len(keys), 1))
    return _subsets(keyed_words(keys, purpose, round, step, 2 * size), populations, size)


def _subsets(words: NDArray[np.uint32], populations: Numbers, size: int) -> Numbers:
    tops = populations[:, None] - size + np.arange(size)
    wide = (words[:, 0::2].astype(np.uint64) << np.uint64(32)) | words[:, 1::2]
    draws = wide % (tops + 1).astype(np.uint64)
    chosen = [_floyd(*row) for row in zip(tops.tolist(), draws.tolist(), strict=True)]
    return np.sort(np.array(chosen, dtype=np.int64), axis=1)


def _floyd(tops: list[int], draws: list[int]) -> list[int]:
    chosen: set[int] = set()
    for top, drawn in zip(tops, draws, strict=True):
        chosen.add(top if drawn in chosen else drawn)
    return list(chosen)
