"""What a kind of direction must answer, and where its entries stand.

A kind is a value: drawing is a function of (run key, round, local step, direction, tensor) alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.exact import Integers
from baffle.directions.factors import Factors
from baffle.directions.signature import ModelSignature, TensorSpec

Weights = Mapping[str, NDArray[np.float32]]
Indices = NDArray[np.uint32]


class Kind(Protocol):
    """A distribution of directions with unit-variance, uncorrelated entries.

    Attributes:
        name: as in a configuration file.
        code: as on the wire, 0 to 255.
        unit_exponent: an entry is an integer times 2^unit_exponent.
        peak: the largest absolute integer.
    """

    name: ClassVar[str]
    code: ClassVar[int]
    unit_exponent: ClassVar[int]
    peak: ClassVar[int]

    def draw(
        self, stream: Stream, directions: Indices, tensor: TensorSpec, weights: Weights | None
    ) -> Factors:
        """Return the factors of the given directions for one tensor."""
        ...

    def entries(
        self,
        stream: Stream,
        direction: int,
        tensor: TensorSpec,
        flat: NDArray[np.int64],
        weights: Weights | None,
    ) -> NDArray[np.int64]:
        """Return single entries of one direction by flat index, without drawing the rest."""
        ...

    def dimension(self, signature: ModelSignature, weights: Weights | None) -> int:
        """Return the number of entries that this kind moves."""
        ...


class Totals(Protocol):
    """Exact sums over a stretch of packed words of many directions."""

    def begin(self, words: int) -> None:
        """Forget the sums and begin a stretch of this many words."""
        ...

    def add(self, words: NDArray[np.uint32], coefficients: Integers) -> None:
        """Add coefficients[k] times direction k, whose words are row k of words [n, W]."""
        ...

    def rounded(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the sums of entries start to stop, each rounded once to float32."""
        ...


@runtime_checkable
class PackedKind(Protocol):
    """A dense kind that is summed from its packed bits, without drawing its entries.

    Attributes:
        entry_bits: entry j is a function of so many bits of the stream, at j times as many.
    """

    entry_bits: ClassVar[int]

    def totals(self, words: int, limit: int) -> Totals:
        """Return room for sums over at most so many words, none of which can pass `limit`."""
        ...

    def kept(
        self, number: int, tensor: TensorSpec, start: int, stop: int, weights: Weights | None
    ) -> NDArray[np.bool_] | None:
        """Return which of entries start to stop are not zero throughout; None for all."""
        ...


@dataclass(frozen=True)
class Place:
    """The coordinates that all directions of one local step share."""

    key: int
    round: int
    step: int = 0

    def stream(self, tensor: int) -> Stream:
        """Return the direction stream of the tensor with this number."""
        return Stream(self.key, Purpose.DIRECTION, self.round, self.step, tensor)


def single_bits(stream: Stream, index: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the bits at any positions of one index's stream, each from its own block."""
    words = stream.blocks(index, positions // 128)
    word = np.take_along_axis(words, (positions % 128 // 32)[..., None], axis=-1)[..., 0]
    return ((word >> (positions % 32).astype(np.uint32)) & 1).astype(np.uint8)


def signs(bits: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Map bit 0 to +1 and bit 1 to -1."""
    found = np.multiply(bits.view(np.int8), np.int8(-2))
    found += np.int8(1)
    return found
