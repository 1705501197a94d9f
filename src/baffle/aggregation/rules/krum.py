"""Krum: the one row, or the few, that stand nearest to the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation.rules.base import (
    Combined,
    Integers,
    assumed,
    require_rows,
    require_share,
    require_sums,
)
from baffle.aggregation.rules.distances import squared_distances


@dataclass(frozen=True)
class Krum:
    """Q = the row with the least sum of squared distances to its n − f − 2 nearest, weight 1.

    f = floor(share·n), at least 1. Breakdown: f rows, with n ≥ 2f + 3; the result is a row that
    some client sent, near a majority of honest ones. Bias: towards the crowded part of the honest
    rows, so clients with unusual data never count. Noise: that of one report, n times the mean's,
    which is Krum's price. Cost: n²·L. Least rows: 2f + 3. Equal scores are decided by the rows'
    content, the lexicographically smaller one first, never by who came first.

    Args:
        share: of the rows that is assumed hostile, in (0, 1/2).

    Source: Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient
    Descent", NeurIPS 2017.

    Example:
        >>> import numpy as np
        >>> Krum().combine(np.array([[4, 4], [5, 5], [6, 5], [5, 4], [90, -90]])).used
        (3,)
    """

    share: float = 0.2
    name: ClassVar[str] = "krum"

    def __post_init__(self) -> None:
        require_share(self.name, self.share)

    def least(self, rows: int) -> int:
        """Return 2f + 3."""
        return 2 * self.withstands(rows) + 3

    def withstands(self, rows: int) -> int:
        """Return f."""
        return assumed(self.share, rows)

    def weight(self, rows: int) -> int:
        """Return 1."""
        return 1

    def combine(self, rows: Integers) -> Combined:
        """Choose among int64 [n, L]; see `Rule.combine`."""
        n = len(rows)
        require_rows(self, n)
        weight = self.weight(n)
        checked = require_sums(self.name, rows, weight)
        best = ranking(checked, n - self.withstands(n) - 2)[:weight]
        return Combined(checked[best].sum(axis=0), weight, weight, tuple(sorted(best)))


@dataclass(frozen=True)
class MultiKrum(Krum):
    """Q = the sum of the m = n − f − 2 rows of the best Krum scores, weight m.

    As `Krum`, with the noise of m reports. m = n − f − 2 is the largest for which resilience is
    proved (El Mhamdi et al.); Blanchard et al. leave m open.

    Source: Blanchard et al. 2017; El Mhamdi, Guerraoui, Rouault, "Fast and Robust Distributed
    Learning in High Dimension", SRDS 2020.

    Example:
        >>> import numpy as np
        >>> MultiKrum().combine(np.array([[4, 4], [5, 5], [6, 5], [5, 4], [90, -90]])).used
        (1, 3)
    """

    name: ClassVar[str] = "multi_krum"

    def weight(self, rows: int) -> int:
        """Return m = n − f − 2."""
        return rows - self.withstands(rows) - 2


def ranking(rows: Integers, nearest: int) -> list[int]:
    """Return the row numbers by ascending Krum score, equal scores by the rows' content.

    Args:
        rows: int64 [n, L].
        nearest: how many of the other rows are looked at, n − f − 2.
    """
    scores = [
        score
        for distances in squared_distances(rows)
        for score in _nearest_sums(distances, nearest)
    ]
    # Only rows of equal scores are compared entry by entry.
    tied = {score for score, times in Counter(scores).items() if times > 1}
    content = [rows[i].tolist() if score in tied else [] for i, score in enumerate(scores)]
    return sorted(range(len(rows)), key=lambda i: (scores[i], content[i]))


def _nearest_sums(distances: NDArray[Any], nearest: int) -> list[int]:
    # A row's smallest distance is that to itself, 0, or to an equal row, also 0.
    ordered = np.sort(distances, axis=1)[:, 1 : nearest + 1]
    return [int(total) for total in ordered.sum(axis=1)]
