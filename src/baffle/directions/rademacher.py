"""Dense ±1 directions: one bit an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Stream
from baffle.directions.factors import Dense
from baffle.directions.kind import Indices, Weights, signs, single_bits
from baffle.directions.signature import ModelSignature, TensorSpec
from baffle.directions.tables import SignTotals


@dataclass(frozen=True)
class Rademacher:
    """Independent ±1 entries; ‖z‖² = d exactly, so the estimate's error is (d - 1)/K."""

    name: ClassVar[str] = "rademacher"
    code: ClassVar[int] = 1
    unit_exponent: ClassVar[int] = 0
    peak: ClassVar[int] = 1
    entry_bits: ClassVar[int] = 1

    def draw(
        self, stream: Stream, directions: Indices, tensor: TensorSpec, weights: Weights | None
    ) -> Dense:
        """Return int8 [n, *shape]; entry j (row-major) is bit j of the direction's stream."""
        bits = stream.bits(directions, tensor.size)
        return Dense(signs(bits).reshape(-1, *tensor.shape), self.peak)

    def entries(
        self,
        stream: Stream,
        direction: int,
        tensor: TensorSpec,
        flat: NDArray[np.int64],
        weights: Weights | None,
    ) -> NDArray[np.int64]:
        """Return single entries by flat index."""
        return signs(single_bits(stream, direction, flat)).astype(np.int64)

    def dimension(self, signature: ModelSignature, weights: Weights | None) -> int:
        """Every trained entry."""
        return signature.dimension

    def totals(self, words: int, limit: int) -> SignTotals:
        """Return room for sums by tables."""
        return SignTotals(words, limit)

    def kept(
        self, number: int, tensor: TensorSpec, start: int, stop: int, weights: Weights | None
    ) -> None:
        """Every entry moves."""
        return
