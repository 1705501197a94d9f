"""Clip integer vectors to an L2 norm, so that the integers that are sent keep the bound exactly.

The norm is compared in integers. Scaling uses float64 division, square root and product alone, each
correctly rounded on every machine, and truncates towards zero; the result is compared again, since
rounding may leave it above the limit by its last bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.errors import BoundError

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

MAX_VALUE = 2**31 - 1  # a square and a sum of 2^31 halves of squares stay in 64 bits
HALF = 2**32
SHRINK = 2.0**-50  # a little more than the rounding of the scale itself


def clip_norm(values: Integers, limit: int) -> tuple[Integers, Flags]:
    """Return vectors with an L2 norm of at most `limit`, and which of them were changed.

    Args:
        values: int64 [..., n], within ±(2^31 - 1).
        limit: the clip norm, from 1 to 2^31 - 1.

    Returns:
        int64 [..., n], a vector within the limit unchanged, and bool [...].

    Raises:
        BoundError: a value or the limit is out of range.

    Example:
        >>> clip_norm(np.array([[30, -40], [3, 4]]), 10)
        (array([[ 6, -8],
               [ 3,  4]]), array([ True, False]))
    """
    _require(values, limit)
    high, low = _square_sums(values)
    over = _above(high, low, limit)
    if not np.any(over):
        return values, over
    norms = np.sqrt(high.astype(np.float64) * HALF + low.astype(np.float64))
    clipped = values.copy()
    clipped[over] = _scaled(values[over], limit / norms[over], limit)
    return clipped, over


def _scaled(rows: Integers, factors: NDArray[np.float64], limit: int) -> Integers:
    """Return rows [m, n] times their factors, each factor lowered until the row keeps the limit."""
    scaled = _times(rows, factors)
    shrink = SHRINK
    while np.any(late := _above(*_square_sums(scaled), limit)):
        factors = np.where(late, factors * (1 - shrink), factors)
        scaled[late] = _times(rows[late], factors[late])
        shrink *= 2
    return scaled


def _times(rows: Integers, factors: NDArray[np.float64]) -> Integers:
    return np.trunc(rows * factors[:, None]).astype(np.int64)


def _square_sums(values: Integers) -> tuple[Integers, Integers]:
    """Return sums of squares over the last axis as high · 2^32 + low, with low below 2^32."""
    squares = values * values
    low = np.sum(squares & (HALF - 1), axis=-1, dtype=np.int64)
    high = np.sum(squares >> 32, axis=-1, dtype=np.int64)
    return np.asarray(high + (low >> 32)), np.asarray(low & (HALF - 1))


def _above(high: Integers, low: Integers, limit: int) -> Flags:
    bound_high, bound_low = divmod(limit * limit, HALF)
    above: Flags = (high > bound_high) | ((high == bound_high) & (low > bound_low))
    return above


def _require(values: Integers, limit: int) -> None:
    if not 1 <= limit <= MAX_VALUE:
        raise BoundError(f"a clip norm lies in 1 to {MAX_VALUE} steps, got {limit}")
    if values.dtype != np.int64:
        raise BoundError(f"expected int64 values to clip, got {values.dtype}")
    if values.size and max(int(values.max()), -int(values.min())) > MAX_VALUE:
        raise BoundError(f"values to clip must lie within ±{MAX_VALUE}")
