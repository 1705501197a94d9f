"""The sum of all rows: exact, the least noise, and no defence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.aggregation.rules.base import Combined, Integers, require_rows, require_sums


@dataclass(frozen=True)
class PlainSum:
    """Q_k = Σ_c q_ck, weight n: the mean.

    Breakdown: none, one row moves the result by as much as its bits let it claim, limit/n.
    Bias: none. Noise: σ²/n, the least. Cost: n·L. Least rows: 1.

    Example:
        >>> import numpy as np
        >>> PlainSum().combine(np.array([[1, 2], [3, -4]])).values.tolist()
        [4, -2]
    """

    name: ClassVar[str] = "sum"

    def least(self, rows: int) -> int:
        """Return 1."""
        return 1

    def withstands(self, rows: int) -> int:
        """Return 0."""
        return 0

    def weight(self, rows: int) -> int:
        """Return n."""
        return rows

    def combine(self, rows: Integers) -> Combined:
        """Add int64 [n, L] up; see `Rule.combine`."""
        n = len(rows)
        require_rows(self, n)
        values = require_sums(self.name, rows, n).sum(axis=0)
        return Combined(values, n, n, tuple(range(n)))
