"""A random subset without replacement, in the subset's memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Stream


def draw_subset(stream: Stream, population: int, size: int) -> NDArray[np.int64]:
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
    tops = np.arange(population - size, population)
    words = stream.words(0, 2 * size)[0].astype(np.uint64)
    wide = (words[0::2] << np.uint64(32)) | words[1::2]
    draws = wide % (tops + 1).astype(np.uint64)
    chosen: set[int] = set()
    for top, drawn in zip(tops.tolist(), draws.tolist(), strict=True):
        chosen.add(top if drawn in chosen else drawn)
    return np.array(sorted(chosen), dtype=np.int64)
