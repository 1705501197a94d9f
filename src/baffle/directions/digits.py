"""Coefficients of ±1 as float32 digits: products that stay exact in the narrowest type.

A product of float32 is twice as fast as one of float64 and half as wide, and exact below 2^24. So a
sum past that bound is cut in two ways until every product obeys it: by rows, and, where single
coefficients are large, into digits of 18 bits, of which any 64 rows obey it. The products are
added up in a type that holds them all (`Cut.total`); the value, and hence the one rounding of it
to float32, is the same however it was cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.directions.exact import (
    FLOAT32_EXACT,
    FLOAT64_EXACT,
    Integers,
    bound,
    largest_of,
    require_below,
)

DIGIT_BITS = 18  # 64 rows of digits below 2^18 stay below 2^24


@dataclass(frozen=True)
class Digit:
    """What the coefficients of some rows are a sum of: shift · values; float32 [rows]."""

    shift: int
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Chunk:
    """Rows `start` to `stop`, and their coefficients' digits."""

    start: int
    stop: int
    digits: tuple[Digit, ...]


@dataclass(frozen=True)
class Cut:
    """A sum of q_k z_k, |z| ≤ 1, as a sum of exact float32 products.

    Args:
        chunks: in order; every coefficient is in one of them.
        total: the type in which the products' sum is exact: "float32", "float64" or "int64".
    """

    chunks: tuple[Chunk, ...]
    total: str

    @property
    def products(self) -> int:
        """Number of products."""
        return sum(len(c.digits) for c in self.chunks)


def cut(coefficients: Integers, longest: int) -> Cut:
    """Cut coefficients so that every product is exact.

    Args:
        coefficients: int64 [n].
        longest: most rows of a chunk.

    Raises:
        BoundError: the sum could reach 2^63.
    """
    limit = bound(coefficients, 1)
    require_below(limit, len(coefficients), 1)
    if limit < FLOAT32_EXACT:
        starts = list(range(0, len(coefficients), longest))
        digits = [Digit(1, coefficients.astype(np.float32))]
        return Cut(tuple(_chunks(digits, starts, len(coefficients))), "float32")
    digits = list(_digits(coefficients))
    total = "float64" if limit < FLOAT64_EXACT else "int64"
    starts = _starts(digits, longest)
    return Cut(tuple(_chunks(digits, starts, len(coefficients))), total)


def _digits(coefficients: Integers) -> Iterator[Digit]:
    """Yield digits of 18 bits, or the coefficients as they are if they have no more."""
    sign, size, shift = np.sign(coefficients), np.abs(coefficients), 0
    while largest_of(size) >> shift:
        digit = sign * ((size >> shift) & (2**DIGIT_BITS - 1))
        yield Digit(2**shift, digit.astype(np.float32))
        shift += DIGIT_BITS


def _starts(digits: list[Digit], longest: int) -> list[int]:
    """Return where chunks begin: the longest whose every digit sums to less than 2^24."""
    sums = np.cumsum(np.abs([d.values for d in digits]), axis=1, dtype=np.float64)
    starts, count = [0], sums.shape[1]
    while starts[-1] < count:
        before = sums[:, starts[-1] - 1] if starts[-1] else np.zeros(len(digits))
        reach = min(
            int(np.searchsorted(row, base + FLOAT32_EXACT))
            for row, base in zip(sums, before, strict=True)
        )
        starts.append(min(reach, starts[-1] + longest, count))
    return starts[:-1]


def _chunks(digits: list[Digit], starts: list[int], count: int) -> Iterator[Chunk]:
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        parts = (Digit(d.shift, d.values[start:stop]) for d in digits)
        yield Chunk(start, stop, tuple(parts))
