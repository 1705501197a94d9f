"""The random bits of many tensors' directions, drawn in one call and kept packed.

A call of the generator costs some 100 µs however small it is. A model's tensors differ only in the
counter's top word, so that all of them, and any stretch of each, go through one call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import MAX_BLOCK, check_place
from baffle.directions.kind import Indices, Place
from baffle.directions.philox import BITS_PER_BLOCK, WORDS_PER_BLOCK, philox4x32


@dataclass(frozen=True)
class Span:
    """Blocks `first` to `first + blocks` of a tensor's bit stream."""

    tensor: int
    first: int
    blocks: int

    @classmethod
    def of_bits(cls, tensor: int, start: int, stop: int) -> Self:
        """Return the fewest blocks that hold bits start to stop."""
        first = start // BITS_PER_BLOCK
        return cls(tensor, first, -(-stop // BITS_PER_BLOCK) - first)


class SpanTable:
    """Spans side by side, as columns of the table that a draw fills.

    Args:
        spans: at least one.

    Raises:
        BoundError: a block has no room in the counter.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = tuple(spans)
        last = max(s.first + s.blocks for s in self.spans) - 1
        check_place("number of blocks", last, MAX_BLOCK)
        self.last_tensor = max(s.tensor for s in self.spans)
        counts = [s.blocks for s in self.spans]
        self.tensors = np.repeat(np.array([s.tensor for s in self.spans], np.uint64), counts)
        self.blocks = np.concatenate([np.arange(s.first, s.first + s.blocks) for s in self.spans])

    @property
    def words(self) -> int:
        """Number of words a direction."""
        return len(self.blocks) * WORDS_PER_BLOCK


def draw_packed(place: Place, directions: Indices, table: SpanTable) -> NDArray[np.uint32]:
    """Return the spans' words side by side; uint32 [n, W], one row a direction.

    Args:
        place: run key, round and local step.
        directions: [n], the directions' indices.
        table: which blocks of which tensors.

    Raises:
        BoundError: a tensor has no room in the counter.
    """
    last = place.stream(table.last_tensor)  # which checks the largest number
    tops = table.tensors + np.uint64(last.top - last.tensor)
    rows = np.asarray(directions, dtype=np.uint64)[:, None]
    found = philox4x32((table.blocks[None], rows, last.round, tops[None]), last.key)
    return found.reshape(len(rows), table.words)


def as_bytes(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """View words [n, W] as bytes [n, 4·W]: bit j of a row is bit j mod 8 of byte j div 8."""
    return words.astype("<u4", copy=False).view(np.uint8)
