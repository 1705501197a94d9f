"""The few array operations that updates use beyond + - * /, each correctly rounded on its own.

NumPy here, torch in `baffle.backends.torch.ops`: the same update code runs on either and gives the
same bits. No operation is fused, no reduction depends on an order: see design rules in
ARCHITECTURE.md. Dividing by a Python number is never written, since torch multiplies by its
reciprocal instead.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.updates.products import NumpyProducts, Products
from baffle.updates.state import Array


class Ops(Protocol):
    """An array library in which float32 arithmetic is IEEE and elementwise."""

    @property
    def products(self) -> Products:
        """The library's exact matrix products."""
        ...

    def asarray(self, values: NDArray[np.float32]) -> Array:
        """Return float32 values as an array of this library."""
        ...

    def adopt(self, values: Array) -> Array:
        """Return float32 values, NumPy's or of `products`, that nobody else holds."""
        ...

    def zeros_like(self, array: Array) -> Array:
        """Return zeros of the same shape."""
        ...

    def sqrt(self, array: Array) -> Array:
        """Return the correctly rounded square root."""
        ...

    def floor(self, array: Array) -> Array:
        """Return each number rounded down."""
        ...

    def clip(self, array: Array, least: float, most: float) -> Array:
        """Return each number, or the bound that it lies beyond."""
        ...

    def to_float64(self, array: Array) -> Any:
        """Return a float32 array widened to float64."""
        ...


class NumpyOps:
    """NumPy on the CPU."""

    def __init__(self) -> None:
        self.products = NumpyProducts()

    def asarray(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a float32 copy."""
        return np.array(values, dtype=np.float32)

    def adopt(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return them as they are."""
        return values

    def zeros_like(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return zeros of the same shape."""
        return np.zeros_like(array)

    def sqrt(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the correctly rounded square root."""
        return np.asarray(np.sqrt(array))

    def floor(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return each number rounded down."""
        return np.asarray(np.floor(array))

    def clip(self, array: NDArray[np.float32], least: float, most: float) -> NDArray[np.float32]:
        """Return each number, or the bound that it lies beyond."""
        return np.asarray(np.clip(array, np.float32(least), np.float32(most)))

    def to_float64(self, array: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return a float32 array widened to float64."""
        return array.astype(np.float64)


NUMPY = NumpyOps()


def f32(value: float) -> float:
    """Return a number rounded to float32, so that no library rounds it another way."""
    return float(np.float32(value))


def power(base: float, exponent: int) -> float:
    """Return base^exponent by multiplications alone: the same bits everywhere, unlike libm's pow.

    Args:
        base: float64.
        exponent: integer ≥ 0; the cost is its bit length.
    """
    result, square = 1.0, base
    while exponent:
        if exponent & 1:
            result *= square
        square *= square
        exponent >>= 1
    return result


def tree_mean_square(array: Array, ops: Ops) -> float:
    """Return the mean of squares, added in a fixed tree of elementwise float64 sums.

    The order of a library's own reduction differs between machines; halving does not.
    """
    values = ops.to_float64(array).reshape(-1)
    values = values * values
    count = len(values)
    while len(values) > 1:
        half = (len(values) + 1) // 2
        head, tail = values[:half], values[half:]
        values = head + 0.0
        values[: len(tail)] += tail
    return float(values[0]) / count
