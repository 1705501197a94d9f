"""From summed integers to an estimate: G = sum_k Q_k z_k exact, one rounding, one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Kind, ModelSignature, Place, TensorSpec
from baffle.directions.kind import Weights
from baffle.updates.ops import Ops, f32
from baffle.updates.state import Slot

CHUNK_BYTES = 1 << 26


@dataclass(frozen=True)
class Sums:
    """Summed integers of a round and what turns them into derivatives.

    Args:
        values: int64 [H, K].
        weight: total client weight W.
        step_exponent: log2 of the quantisation step.
        scale_exponents: log2 of a trained tensor's radius over the reference radius.
        normalised: divide by the values' standard deviation instead of scaling by step/W.
    """

    values: NDArray[np.int64]
    weight: int
    step_exponent: int
    scale_exponents: tuple[int, ...]
    normalised: bool = False

    def factor(self) -> float:
        """Return what one G at scale exponent 0 is multiplied by: step/(K·W), or 1/(K·std)."""
        directions = self.values.shape[1]
        if not self.normalised:
            return (
                math.ldexp(1 / (directions * self.weight), self.step_exponent)
                if self.weight
                else 0.0
            )
        deviation = standard_deviation(self.values)
        return 1 / (directions * deviation) if deviation else 0.0


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
    coefficients: NDArray[np.int64],
    weights: Weights | None,
    ops: Ops,
    chunk: int = 0,
) -> NDArray[np.int64]:
    """Return sum_k coefficients[k] · z_k of one tensor; the same for every chunk.

    Args:
        kind, place, number, tensor: which directions.
        coefficients: int64 [K].
        weights: for kinds whose entries depend on them.
        ops: array library.
        chunk: directions drawn at once; 0 bounds the factors' memory to 64 MiB.

    Returns:
        64-bit integers of the tensor's shape (the library's own array).
    """
    stream = place.stream(number)
    chunk = chunk or max(1, CHUNK_BYTES // (8 * max(1, _drawn_entries(kind, tensor))))
    total = None
    for start in range(0, len(coefficients), chunk):
        part = np.arange(start, min(start + chunk, len(coefficients)), dtype=np.uint32)
        summed = ops.weighted_sum(kind.draw(stream, part, tensor, weights), coefficients[part])
        total = summed if total is None else total + summed
    return total  # type: ignore[return-value]


def _drawn_entries(kind: Kind, tensor: TensorSpec) -> int:
    """Numbers held for one direction of a tensor while it is summed."""
    if kind.name == "rank_one" and len(tensor.shape) >= 2:
        return tensor.shape[0] + tensor.size // tensor.shape[0]
    return tensor.size


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
        float32 arrays; unbiased for the sum over local steps of the gradient as radius → 0. Cost:
        one matrix product of O × K × I a matrix.
    """
    factor = sums.factor()
    result = {}
    for (number, tensor), scale in zip(signature.trained, sums.scale_exponents, strict=True):
        total = None
        for h, row in enumerate(sums.values):
            place = Place(key, round, steps + h)
            part = rebuild_integers(kind, place, number, tensor, row, weights, ops)
            total = part if total is None else total + part
        result[tensor.name] = ops.to_float32(total) * f32(
            math.ldexp(factor, kind.unit_exponent - scale)
        )
    return result
