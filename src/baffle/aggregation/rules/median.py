"""The median of every coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from baffle.aggregation.rules.base import Combined, Integers, require_rows, require_sums


@dataclass(frozen=True)
class Median:
    """Q_k = the middle of q_1k … q_nk, weight 1; of even n the two middle ones' sum, weight 2.

    Breakdown: fewer than half of the rows, n − 1 over 2 rounded down; then each coordinate stays
    within the honest rows' range. Bias: the median is not the mean where the honest values are
    skewed, and it rounds a mean below one level to 0 when more than half of the values are 0, so
    it wants more bits than a sum. Noise: π/2 times the mean's with normal values, as if 64 % of the
    reports had been averaged. Cost: n·L (selection). Least rows: 3, since two have no middle.

    Source: Yin et al., "Byzantine-Robust Distributed Learning", ICML 2018.

    Example:
        >>> import numpy as np
        >>> Median().combine(np.array([[1], [900], [3]])).values.tolist()
        [3]
    """

    name: ClassVar[str] = "median"

    def least(self, rows: int) -> int:
        """Return 3."""
        return 3

    def withstands(self, rows: int) -> int:
        """Return the largest number below half."""
        return (rows - 1) // 2

    def weight(self, rows: int) -> int:
        """Return 1 of odd n, 2 of even n."""
        return 2 - rows % 2

    def combine(self, rows: Integers) -> Combined:
        """Take the middle of each column of int64 [n, L]; see `Rule.combine`."""
        n = len(rows)
        require_rows(self, n)
        weight = self.weight(n)
        values = middle_sum(require_sums(self.name, rows, weight), (n - weight) // 2)
        return Combined(values, weight, weight, None)


def middle_sum(rows: Integers, trimmed: int) -> Integers:
    """Return each column's sum without its `trimmed` smallest and largest; int64 [L].

    Equal values are alike, so that it does not matter which of them is left out.
    """
    last = len(rows) - 1 - trimmed
    ordered = np.partition(rows, (trimmed, last), axis=0)
    kept: Integers = ordered[trimmed : last + 1].sum(axis=0)
    return kept
