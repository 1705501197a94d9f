"""Squared distances between all rows, exact: by float64 products below 2^53, joined as integers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation.rules.base import Integers
from baffle.directions.exact import INT64_EXACT, largest_of

BLOCK = 256  # rows whose distances to all others are held at once
FLOAT64_BITS = 53


def squared_distances(rows: Integers) -> Iterator[NDArray[Any]]:
    """Yield ‖x_i − x_j‖² block of rows by block of rows: [block, n].

    They are int64 where a sum over n of them provably stays in 64 bits, and Python integers in an
    object array where it might not: the order of two scores must never hang on a rounding.

    Args:
        rows: int64 [n, L].
    """
    n, length = rows.shape
    fits = 4 * largest_of(rows) ** 2 * length * n < INT64_EXACT
    dtype = np.int64 if fits else object
    parts = list(_limbs(rows))
    squares = sum(
        (_join(shift, np.einsum("il,il->i", a, b), dtype) for shift, a, b in _pairs(parts)),
        np.zeros(n, dtype=dtype),
    )
    for start in range(0, n, BLOCK):
        some = slice(start, start + BLOCK)
        products = sum(
            (_join(shift, a[some] @ b.T, dtype) for shift, a, b in _pairs(parts)),
            np.zeros((len(squares[some]), n), dtype=dtype),
        )
        yield squares[some, None] + squares[None, :] - 2 * products


def _limbs(rows: Integers) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield (shift, limb): rows = Σ 2^shift · limb, and L products of limbs stay below 2^53."""
    width = max(1, (FLOAT64_BITS - rows.shape[1].bit_length()) // 2)
    sign, rest, shift = np.sign(rows), np.abs(rows), 0
    while not shift or rest.any():
        yield shift, (sign * (rest & (2**width - 1))).astype(np.float64)
        rest, shift = rest >> width, shift + width


def _pairs(
    parts: list[tuple[int, NDArray[np.float64]]],
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    return ((s + t, a, b) for s, a in parts for t, b in parts)


def _join(shift: int, products: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    joined: NDArray[Any] = products.astype(np.int64).astype(dtype) * 2**shift
    return joined
