"""From summed integers to an estimate: G = sum_k Q_k z_k exact, one rounding, one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Kind, ModelSignature, Place, TensorSpec
from baffle.directions.exact import Integers
from baffle.directions.kind import PackedKind, Weights
from baffle.directions.rank_one import RankOneKind
from baffle.updates.by_product import sum_by_products
from baffle.updates.by_table import sum_by_tables
from baffle.updates.energies import Floor
from baffle.updates.ops import NUMPY, Ops, f32
from baffle.updates.pages import Pages, places_of
from baffle.updates.rows import Rows
from baffle.updates.state import Slot

CHUNK_BYTES = 1 << 26


@dataclass(frozen=True)
class Sums:
    """Summed integers of a round and what turns them into derivatives.

    Args:
        values: int64 [H, S·K], of S sets of K directions.
        weight: total client weight W, over all sets.
        step_exponent: log2 of the quantisation step.
        scale_exponents: log2 of a trained tensor's radius over the reference radius.
        normalised: divide by the values' standard deviation instead of scaling by step/W.
        directions: K; 0 for one set.
    """

    values: NDArray[np.int64]
    weight: int
    step_exponent: int
    scale_exponents: tuple[int, ...]
    normalised: bool = False
    directions: int = 0

    def factor(self) -> float:
        """Return what one G at scale exponent 0 is multiplied by: step/(K·W), or 1/(S·K·std).

        A client's weight is in W once, and its integers are in one set: that is the mean over
        clients of what each set of directions tells.
        """
        columns = self.values.shape[1]
        if not self.normalised:
            directions = self.directions or columns
            return (
                math.ldexp(1 / (directions * self.weight), self.step_exponent)
                if self.weight
                else 0.0
            )
        deviation = standard_deviation(self.values)
        return 1 / (columns * deviation) if deviation else 0.0

    def floor(self, signature: ModelSignature) -> Floor:
        """Return what directions of mean square 1 put into the estimate by themselves."""
        factor, squares = self.factor(), sum(int(v) ** 2 for v in self.values.reshape(-1))
        names = (tensor.name for _, tensor in signature.trained)
        scales = dict(zip(names, self.scale_exponents, strict=True))
        return Floor(factor * factor * squares, self.values.size, scales)


def standard_deviation(values: NDArray[np.int64]) -> float:
    """Return the population standard deviation of integers, from exact integer moments."""
    flat = [int(v) for v in values.reshape(-1)]
    count = len(flat)
    scatter = count * sum(v * v for v in flat) - sum(flat) ** 2
    return math.sqrt(scatter / (count * count))


def rebuild_integers(
    kind: Kind,
    place: Place,
    number: int,
    tensor: TensorSpec,
    coefficients: Integers,
    weights: Weights | None,
    chunk: int = 0,
) -> Integers:
    """Return sum_k coefficients[k] · z_k of one tensor from drawn directions: the plain way.

    `estimate` takes it for kinds that it knows no faster way for.

    Args:
        kind, place, number, tensor: which directions.
        coefficients: int64 [K].
        weights: for kinds whose entries depend on them.
        chunk: directions drawn at once, which changes nothing but memory; 0 for at most 64 MiB
            (but one direction).
    """
    stream = place.stream(number)
    chunk = chunk or max(1, CHUNK_BYTES // (16 * max(1, tensor.size)))
    total = np.zeros(tensor.shape, dtype=np.int64)
    for start in range(0, len(coefficients), chunk):
        part = np.arange(start, min(start + chunk, len(coefficients)), dtype=np.uint32)
        total += kind.draw(stream, part, tensor, weights).weighted_sum(coefficients[part])
    return total


def estimate(
    kind: Kind,
    signature: ModelSignature,
    key: int,
    round: int,
    steps: int,
    sums: Sums,
    weights: Weights | None,
    ops: Ops,
) -> Slot:
    """Return the estimate by tensor: sum over local steps of (1/K) sum_k d_k z_k / s.

    Args:
        kind, signature, key, round: which directions.
        steps: local step of the first row of `sums.values`.
        sums: integers and scales.
        weights: for kinds that need them.
        ops: array library.

    Returns:
        float32 arrays, views of one; unbiased for the sum over local steps of the gradient as
        radius → 0. The sums are exact and rounded once to float32, then scaled. Cost: for
        rank-one kinds one matrix product of O × K × I a matrix. Temporary memory: some 64 MiB
        whatever K and the model's size (and one tensor's sums for kinds that are drawn).

    Raises:
        BoundError: a sum could reach 2^63.
    """
    place, factor = Place(key, round, steps), sums.factor()
    scales = {
        tensor.name: f32(math.ldexp(factor, kind.unit_exponent - scale))
        for (_, tensor), scale in zip(signature.trained, sums.scale_exponents, strict=True)
    }
    rows = Rows.of(place, sums.values)
    products = ops.products if isinstance(kind, RankOneKind) else NUMPY.products
    pages = Pages(products.empty((signature.dimension,)), places_of(signature), scales)
    if not len(rows):
        pages.entries[...] = 0.0
    elif isinstance(kind, RankOneKind):
        sum_by_products(signature, rows, pages, products)
    elif isinstance(kind, PackedKind):
        sum_by_tables(kind, kind.peak, signature, rows, pages, weights)
    else:
        _sum_by_drawing(kind, signature, place, sums.values, pages, weights)
    return pages.shaped(signature, ops.adopt(pages.entries))


def _sum_by_drawing(
    kind: Kind,
    signature: ModelSignature,
    place: Place,
    values: Integers,
    pages: Pages,
    weights: Weights | None,
) -> None:
    for number, tensor in signature.trained:
        total = np.zeros(tensor.shape, dtype=np.int64)
        for h, row in enumerate(values):
            at = replace(place, step=place.step + h)
            total += rebuild_integers(kind, at, number, tensor, row, weights)
        flat = pages.flat(tensor.name)
        np.multiply(
            total.reshape(-1).astype(np.float32), np.float32(pages.scales[tensor.name]), out=flat
        )
