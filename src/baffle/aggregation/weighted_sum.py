"""The default rule: the integer sum over clients of weight times report."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class WeightedSum:
    """Q_k = sum over clients of w_c q_ck, exact in any order.

    Args:
        count: integers a report.
    """

    def __init__(self, count: int) -> None:
        self.values = np.zeros(count, dtype=np.int64)
        self.reports = self.weight = self.weight_squares = 0

    def add(self, values: NDArray[np.int64], weight: int) -> None:
        """Add one client's integers; the configuration's bound proves that this cannot overflow."""
        self.values += weight * values
        self.reports += 1
        self.weight += weight
        self.weight_squares += weight**2
