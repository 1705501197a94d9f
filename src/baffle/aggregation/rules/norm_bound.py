"""The sum of the rows after none is longer than a multiple of the median length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from baffle.aggregation.rules.base import Combined, Integers, require_rows, require_sums
from baffle.directions.exact import INT64_EXACT, largest_of
from baffle.errors import ConfigError

FACTOR_BITS = 32  # a row is scaled by a whole number of 2^-32


@dataclass(frozen=True)
class NormBound:
    """Q = Σ_c q_c · min(1, b/‖q_c‖), truncated towards zero; b = multiple × median ‖q_c‖; weight n.

    Of even n the lower of the two middle lengths counts. Breakdown: fewer than half of the rows;
    then b is at most multiple times an honest length. It bounds what a row can do and removes
    none: m hostile rows move the mean by at most m·b/n, so a flipped sign still counts as a
    flipped sign. Bias: honest rows longer than b shrink, and truncation takes up to a level
    from each entry of a shortened row. Noise: about the mean's. Cost: n·L. Least rows: 3.

    Args:
        multiple: of the median length, above 0.

    Source: Sun et al., "Can You Really Backdoor Federated Learning?", 2019 (a fixed bound); the
    median makes it follow the run.

    Example:
        >>> import numpy as np
        >>> NormBound().combine(np.array([[3, 4], [-3, 4], [300, 400]])).values.tolist()
        [2, 11]
    """

    multiple: float = 1.0
    name: ClassVar[str] = "norm_bound"

    def __post_init__(self) -> None:
        if not 0 < self.multiple < math.inf:
            raise ConfigError(
                f"{self.name}: expected a multiple of the median length above 0, "
                f"got {self.multiple}"
            )

    def least(self, rows: int) -> int:
        """Return 3."""
        return 3

    def withstands(self, rows: int) -> int:
        """Return the largest number below half: what the bound itself withstands."""
        return (rows - 1) // 2

    def weight(self, rows: int) -> int:
        """Return n."""
        return rows

    def combine(self, rows: Integers) -> Combined:
        """Shorten and add int64 [n, L]; see `Rule.combine`."""
        n = len(rows)
        require_rows(self, n)
        checked = require_sums(self.name, rows, n)
        values = self.bounded(checked).sum(axis=0)
        return Combined(values, n, n, tuple(range(n)))

    def bounded(self, rows: Integers) -> Integers:
        """Return the rows, none longer than the bound; those that are not longer as they are."""
        squares = squared_lengths(rows)
        middle = sorted(squares)[(len(squares) - 1) // 2]
        limit = math.floor(Fraction(str(float(self.multiple))) ** 2 * middle)
        shortened = [
            row if square <= limit else _scaled(row, limit, square)
            for row, square in zip(rows, squares, strict=True)
        ]
        return np.array(shortened, dtype=np.int64)


def squared_lengths(rows: Integers) -> list[int]:
    """Return ‖row‖² of int64 [n, L], as Python integers."""
    if largest_of(rows) ** 2 * rows.shape[1] < INT64_EXACT:
        squares: list[int] = np.einsum("il,il->i", rows, rows).tolist()
        return squares
    return [sum(x * x for x in row) for row in rows.tolist()]


def _scaled(row: Integers, limit: int, square: int) -> Integers:
    """Return trunc(row · c), with c = sqrt(limit/square) rounded down: never longer than asked."""
    factor = math.isqrt((limit << 2 * FACTOR_BITS) // square)
    wide = row if largest_of(row) < INT64_EXACT >> FACTOR_BITS else row.astype(object)
    return np.asarray(np.sign(wide) * (abs(wide) * factor >> FACTOR_BITS), dtype=np.int64)
