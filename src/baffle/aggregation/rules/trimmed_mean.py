"""The mean of every coordinate without its extremes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.aggregation.rules.base import (
    Combined,
    Integers,
    assumed,
    require_rows,
    require_share,
    require_sums,
)
from baffle.aggregation.rules.median import middle_sum


@dataclass(frozen=True)
class TrimmedMean:
    """Q_k = the sum of q_1k … q_nk without the t smallest and t largest, weight n − 2t.

    t = floor(share·n), at least 1. Breakdown: t rows; then each coordinate's mean lies within the
    honest rows' range. Bias: towards the median where honest values are skewed; t hostile rows
    can still move a coordinate by about t/(n − 2t) of the honest spread. Noise: between the
    mean's and the median's. Cost: n·L (selection). Least rows: 3.

    Args:
        share: trimmed at each side, in (0, 1/2).

    Source: Yin et al., "Byzantine-Robust Distributed Learning", ICML 2018.

    Example:
        >>> import numpy as np
        >>> TrimmedMean(0.2).combine(np.array([[5], [-900], [1], [3], [900]])).values.tolist()
        [9]
    """

    share: float = 0.2
    name: ClassVar[str] = "trimmed_mean"

    def __post_init__(self) -> None:
        require_share(self.name, self.share)

    def least(self, rows: int) -> int:
        """Return 3."""
        return 3

    def withstands(self, rows: int) -> int:
        """Return t."""
        return assumed(self.share, rows)

    def weight(self, rows: int) -> int:
        """Return n − 2t."""
        return rows - 2 * self.withstands(rows)

    def combine(self, rows: Integers) -> Combined:
        """Add the middle of each column of int64 [n, L]; see `Rule.combine`."""
        n = len(rows)
        require_rows(self, n)
        weight = self.weight(n)
        values = middle_sum(require_sums(self.name, rows, weight), self.withstands(n))
        return Combined(values, weight, weight, None)
