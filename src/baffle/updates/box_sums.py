"""The sum of a box: exact products added up exactly, rounded once to float32, scaled.

Three ways, by what the bound allows, with the same bits:
  - every partial sum below 2^24: all products are added in float32, where they will stay;
  - two products: the one addition of two exact float32s is the one rounding;
  - more: added in float64 or int64, which hold the sum, and rounded when all are there.
"""

from __future__ import annotations

from typing import Protocol

from baffle.directions.digits import Cut
from baffle.updates.products import Products
from baffle.updates.state import Array


class BoxSum(Protocol):
    """A sum that grows in, or ends in, a view of the estimate."""

    def add(self, left: Array, right: Array, shift: int) -> None:
        """Add shift · leftᵀ right; left is [n, rows], right [n, columns], shift a power of two."""
        ...

    def finish(self, scale: float) -> None:
        """Leave scale · float32(sum) in the estimate."""
        ...


def box_sum(plan: Cut, target: Array, products: Products) -> BoxSum:
    """Return the way to sum that a plan allows.

    Args:
        plan: how the coefficients were cut.
        target: float32 view [rows, columns] of the estimate.
        products: array library.
    """
    if plan.total == "float32":
        return InPlace(target, products)
    if plan.products == 2:
        return Pair(target, products)
    return Wide(target, products, plan.total)


class InPlace:
    """All partial sums are below 2^24."""

    def __init__(self, target: Array, products: Products) -> None:
        self._target, self._products, self._begun = target, products, False

    def add(self, left: Array, right: Array, shift: int) -> None:
        """Add in float32; the shift is 1."""
        self._products.product(left, right, self._target, add=self._begun)
        self._begun = True

    def finish(self, scale: float) -> None:
        """Scale in place."""
        self._target *= scale


class Pair:
    """Two products, both exact in float32, as are their multiples by a power of two."""

    def __init__(self, target: Array, products: Products) -> None:
        self._target, self._products, self._begun = target, products, False

    def add(self, left: Array, right: Array, shift: int) -> None:
        """Keep the first product, add the second: rounded once."""
        if not self._begun:
            self._multiple(left, right, shift, self._target)
        else:
            second = self._products.empty(self._target.shape)
            self._multiple(left, right, shift, second)
            self._target += second
        self._begun = True

    def _multiple(self, left: Array, right: Array, shift: int, out: Array) -> None:
        self._products.product(left, right, out, add=False)
        if shift != 1:
            out *= float(shift)

    def finish(self, scale: float) -> None:
        """Scale in place."""
        self._target *= scale


class Wide:
    """Any number of products."""

    def __init__(self, target: Array, products: Products, dtype: str) -> None:
        self._target, self._products = target, products
        self._part = products.empty(target.shape)
        self._total = products.zeros(target.shape, dtype)

    def add(self, left: Array, right: Array, shift: int) -> None:
        """Add in the wide type."""
        self._products.product(left, right, self._part, add=False)
        self._products.accumulate(self._total, self._part, shift)

    def finish(self, scale: float) -> None:
        """Round and scale."""
        self._target[...] = self._total
        self._target *= scale
