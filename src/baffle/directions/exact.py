"""Integer sums by floating-point matrix products, exact by a proved bound.

A product of integer matrices in float32 is exact in any order, chunking, thread count and with
fused multiply-adds, as long as no partial sum can reach 2^24; in float64, 2^53. Every partial sum
of sum_k q_k z_k is at most sum_k |q_k| · max|z|. Above 2^53 the coefficients are split into limbs
that obey the bound, and the limbs' sums are joined in int64, which holds while the whole bound is
below 2^63.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from baffle.errors import BoundError

FLOAT32_EXACT = 2**24
FLOAT64_EXACT = 2**53
INT64_EXACT = 2**63
Integers = NDArray[np.int64]


def bound(coefficients: Integers, peak: int) -> int:
    """Return sum |coefficient| · peak as a Python integer: what no partial sum can pass."""
    largest = largest_of(coefficients)
    if largest * len(coefficients) < INT64_EXACT:
        return int(np.abs(coefficients).sum()) * peak
    return sum(abs(int(c)) for c in coefficients) * peak


def largest_of(coefficients: Integers) -> int:
    """Return the largest |coefficient| as a Python integer, 0 of none."""
    return max(int(coefficients.max()), -int(coefficients.min())) if coefficients.size else 0


def require_below(limit: int, terms: int, peak: int) -> None:
    """Raise BoundError unless a sum of so many terms that can reach `limit` fits into 64 bits."""
    if limit >= INT64_EXACT:
        raise BoundError(
            f"a sum of {terms} terms could reach {limit} = sum of |coefficients| × "
            f"{peak}, not below 2^63 = {INT64_EXACT}; use fewer bits, clients, directions or "
            "smaller weights"
        )


def float_for(limit: int) -> type[np.floating] | None:
    """Return the narrowest float type whose sums below `limit` are exact, None if there is none."""
    if limit < FLOAT32_EXACT:
        return np.float32
    return np.float64 if limit < FLOAT64_EXACT else None


def limbs(coefficients: Integers, peak: int) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """Split coefficients into float vectors whose sums are exact: sum of shift · limb.

    Args:
        coefficients: int64 [n].
        peak: the largest absolute entry of what they multiply.

    Yields:
        (shift, limb): a power of two and a float vector [n]; the sum of shift · (limb @ z) over
        the limbs is coefficients @ z exactly. One limb when the bound allows.

    Raises:
        BoundError: the sum could reach 2^63; the message shows the arithmetic.
    """
    limit = bound(coefficients, peak)
    require_below(limit, len(coefficients), peak)
    dtype = float_for(limit)
    if dtype is not None:
        yield 1, coefficients.astype(dtype)
        return
    # Each limb has `width` bits, so n limbs' worth of peak stays below 2^53.
    width = 53 - (len(coefficients) * peak).bit_length()
    if width < 1:
        raise BoundError(
            f"{len(coefficients)} terms of size {peak} are too many for one exact pass"
        )
    # Magnitudes are cut, not the two's complement, whose negative rest would never reach zero.
    sign, rest, shift = np.sign(coefficients), np.abs(coefficients), 1
    while rest.any():
        yield shift, (sign * (rest & (2**width - 1))).astype(np.float64)
        rest, shift = rest >> width, shift << width


def to_int64(values: NDArray[np.floating]) -> Integers:
    """Return integer-valued floats as int64."""
    return values.astype(np.int64)
