"""Rank-one ±1 directions: out ⊗ in for matrices, out ⊗ in ⊗ kernel for convolutions.

The rule, by the tensor's number of axes:
    0 or 1   dense ±1 (a vector has no smaller factors)
    2        out ⊗ in: axis 0, axis 1
    3 or more  out ⊗ in ⊗ kernel: axis 0, axis 1, all others flattened in row-major order

The factors' entries lie one behind another in the tensor's bit stream: out, in, kernel. Each entry
of the product is ±1 and any two entries are uncorrelated; ‖z‖² = d exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Stream
from baffle.directions.factors import Factors, RankOne
from baffle.directions.kind import Indices, Weights, signs, single_bits
from baffle.directions.rademacher import Rademacher
from baffle.directions.signature import ModelSignature, TensorSpec


def factor_lengths(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (O, I, L) of a tensor with two axes or more; a matrix has no kernel, L = 0."""
    return shape[0], shape[1], math.prod(shape[2:]) if len(shape) > 2 else 0


@dataclass(frozen=True)
class RankOneKind:
    """Rank-one ±1 directions, the default: K probes share one large matrix product."""

    name: ClassVar[str] = "rank_one"
    code: ClassVar[int] = 0
    unit_exponent: ClassVar[int] = 0
    peak: ClassVar[int] = 1

    def draw(
        self, stream: Stream, directions: Indices, tensor: TensorSpec, weights: Weights | None
    ) -> Factors:
        """Return RankOne for two axes or more, Dense below; O + I + L bits a direction."""
        if len(tensor.shape) < 2:
            return _VECTOR.draw(stream, directions, tensor, weights)
        n_out, n_in, n_kernel = factor_lengths(tensor.shape)
        z = signs(stream.bits(directions, n_out + n_in + n_kernel))
        kernel = z[:, n_out + n_in :] if n_kernel else np.ones((len(z), 1), dtype=np.int8)
        return RankOne(z[:, :n_out], z[:, n_out : n_out + n_in], kernel, tensor.shape)

    def entries(
        self,
        stream: Stream,
        direction: int,
        tensor: TensorSpec,
        flat: NDArray[np.int64],
        weights: Weights | None,
    ) -> NDArray[np.int64]:
        """Return single entries by flat index: a product of three bits' signs."""
        if len(tensor.shape) < 2:
            return _VECTOR.entries(stream, direction, tensor, flat, weights)
        n_out, n_in, n_kernel = factor_lengths(tensor.shape)
        o, rest = np.divmod(flat, n_in * max(1, n_kernel))
        i, c = np.divmod(rest, max(1, n_kernel))
        places = (o, n_out + i, n_out + n_in + c) if n_kernel else (o, n_out + i)
        positions = np.stack(places)
        parity = single_bits(stream, direction, positions).sum(axis=0) & 1
        return signs(parity.astype(np.uint8)).astype(np.int64)

    def dimension(self, signature: ModelSignature, weights: Weights | None) -> int:
        """Every trained entry."""
        return signature.dimension


_VECTOR = Rademacher()
