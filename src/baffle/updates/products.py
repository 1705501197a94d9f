"""The matrix products that rank-one directions are summed by, and the signs they are made of.

NumPy here, torch in `baffle.backends.torch.products`. Every product is one of float32 integers
whose sums stay below 2^24, so that any library on any device finds the same value.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions.packed import as_bytes
from baffle.directions.tables import sign_table
from baffle.updates.state import Array


class Products(Protocol):
    """An array library's products of float32 integers."""

    def signs(self, words: NDArray[np.uint32]) -> Array:
        """Return the signs of packed bits, float32 ±1 [n, 32 · W]."""
        ...

    def column(self, values: NDArray[np.float32]) -> Array:
        """Return values as a column [n, 1]."""
        ...

    def empty(self, shape: tuple[int, ...]) -> Array:
        """Return a float32 array with any values."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Return zeros of type "float64" or "int64"."""
        ...

    def product(self, left: Array, right: Array, out: Array, add: bool) -> None:
        """Set `out` [r, c] to leftᵀ right, or add to it; left is [n, r], right [n, c]."""
        ...

    def accumulate(self, total: Array, product: Array, shift: int) -> None:
        """Add shift · product to a total of a wider type."""
        ...


class NumpyProducts:
    """NumPy on the CPU."""

    def __init__(self) -> None:
        self._signs = sign_table().astype(np.float32)

    def signs(self, words: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Return the signs of packed bits, float32 ±1 [n, 32 · W]."""
        # "clip" spares a check of each index, and every byte is in range.
        found = self._signs.take(as_bytes(words), axis=0, mode="clip")
        return found.reshape(len(words), -1)

    def column(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values as a column [n, 1]."""
        return values[:, None]

    def empty(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a float32 array with any values."""
        return np.empty(shape, dtype=np.float32)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> NDArray[np.generic]:
        """Return zeros of type "float64" or "int64"."""
        return np.zeros(shape, dtype=dtype)

    def product(
        self,
        left: NDArray[np.float32],
        right: NDArray[np.float32],
        out: NDArray[np.float32],
        add: bool,
    ) -> None:
        """Set `out` [r, c] to leftᵀ right, or add to it; left is [n, r], right [n, c]."""
        if add:
            out += left.T @ right
        else:
            np.matmul(left.T, right, out=out)

    def accumulate(self, total: Array, product: NDArray[np.float32], shift: int) -> None:
        """Add shift · product to a total of a wider type."""
        total += product.astype(total.dtype) * shift
