"""Sums of groups of different sizes, brought to one weight so that a rule may compare them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from baffle.aggregation.rules.base import Integers
from baffle.directions.exact import INT64_EXACT, largest_of
from baffle.errors import BoundError, ConfigError

SCALE = 64  # the common weight is at most this times the largest group


def common_weight(sizes: Sequence[int]) -> int:
    """Return the weight that group sums are brought to: the sizes' least common multiple.

    It is cut to 64 times the largest size. Then scaling rounds, by at most 1/128 of a level over
    that size, far below the quantiser's own rounding. Equal sizes stay as they are.

    Raises:
        ConfigError: no group, or one without members.

    Example:
        >>> common_weight([10, 10]), common_weight([9, 10]), common_weight([97, 98, 99])
        (10, 90, 6336)
    """
    if not len(sizes) or min(sizes) < 1:
        raise ConfigError(f"expected groups of at least one client, got sizes {list(sizes)}")
    return min(math.lcm(*map(int, sizes)), SCALE * int(max(sizes)))


def as_means(sums: Integers, sizes: Sequence[int]) -> tuple[Integers, int]:
    """Return group sums scaled to a common weight, round(sum · weight / size), and that weight.

    Halves go up. Only the server does this; what is made of it stands in the ledger, so nobody
    has to repeat it. After it a group of 5 counts as much as one of 50, as a robust rule needs:
    rows that weigh more would be worth more to whoever is in them.

    Args:
        sums: int64 [G, L], one row a group.
        sizes: how many clients each is a sum of.

    Raises:
        ConfigError: not one size of at least 1 for each row.
        BoundError: a scaled value would leave 64 bits.

    Example:
        >>> import numpy as np
        >>> rows, weight = as_means(np.array([[9], [-10]]), [2, 3])
        >>> rows.tolist(), weight
        ([[27], [-20]], 6)
    """
    if len(sums) != len(sizes):
        raise ConfigError(f"expected a size for each of {len(sums)} groups, got {len(sizes)}")
    weight = common_weight(sizes)
    wide = 2 * weight * largest_of(sums) + max(sizes) >= INT64_EXACT
    rows = np.asarray(sums, dtype=object if wide else np.int64)
    counts = np.array([int(s) for s in sizes], dtype=rows.dtype)[:, None]
    scaled = (2 * weight * rows + counts) // (2 * counts)
    if wide and max((abs(x) for x in scaled.flat), default=0) >= INT64_EXACT:
        raise BoundError(
            f"group sums of up to {largest_of(sums)} at weight {weight} do not fit into 64 bits: "
            "use fewer bits or smaller groups"
        )
    return scaled.astype(np.int64), weight
