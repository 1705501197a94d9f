"""The counted integers of a round, so that a minority cannot steer what the server asks next."""

from __future__ import annotations

from baffle.aggregation.rules.base import Integers, require_sums
from baffle.aggregation.rules.median import middle_sum
from baffle.errors import ConfigError


def robust_counters(rows: Integers) -> Integers:
    """Return the median of every counter times the number of rows; int64 [C].

    Radius, quantisation step and estimator follow loss, energy, odd and even part of the last
    round. One client that claims a huge energy would blow the step up for all, whatever rule
    combines the values. The median times n stands where the sum stood, so a mean over the
    reports reads as the median. Exact: of even n it is n/2 times the two middle ones' sum.

    Args:
        rows: int64 [n, C], a row a client, or a row a group at one weight.

    Raises:
        ConfigError: no rows.
        BoundError: n times a counter leaves 64 bits.

    Example:
        >>> import numpy as np
        >>> robust_counters(np.array([[5, 1], [7, 0], [2**40, 0]])).tolist()
        [21, 0]
    """
    n = len(rows)
    if not n:
        raise ConfigError("expected the counters of at least one report, got none")
    weight = 2 - n % 2
    middle = middle_sum(require_sums("counters", rows, n), (n - weight) // 2)
    return middle * (n // weight)
