"""Where every random number lives in Philox's 128-bit counter.

    word 0   block       32 bits
    word 1   index       32 bits   direction, client or row, by purpose
    word 2   round       32 bits
    word 3   purpose      4 bits  | local step  12 bits | tensor  16 bits

Nothing is ever added to a key or mixed into a seed: two uses cannot meet, because they differ in
a word that has room for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from baffle.directions.philox import BITS_PER_BLOCK, philox4x32
from baffle.errors import BoundError


class Purpose(IntEnum):
    """What a random number is for; the top four bits of the counter."""

    DIRECTION = 1
    MASK = 2
    COHORT = 3
    FAULT = 4
    ROUNDING = 5
    BATCH = 6
    FORWARD = 7
    PICK = 8
    GRID = 9


MAX_INDEX = MAX_ROUND = MAX_BLOCK = 2**32 - 1
MAX_STEP = 2**12 - 1
MAX_TENSOR = 2**16 - 1
MAX_KEY = 2**64 - 1


def check_place(name: str, value: int, limit: int) -> None:
    """Raise BoundError unless a coordinate lies in 0 to `limit`."""
    if not 0 <= value <= limit:
        raise BoundError(f"{name} must lie in 0 to {limit} (its place in the counter), got {value}")


@dataclass(frozen=True)
class Stream:
    """All random numbers of one purpose, round, local step and tensor under one key.

    Args:
        key: the run key, or a client's own key for what only it may know; 0 to 2^64 - 1.
        purpose: what the numbers are for.
        round, step, tensor: coordinates; see the module's table for their ranges.

    Raises:
        BoundError: a coordinate does not fit into its place.

    Example:
        >>> Stream(key=7, purpose=Purpose.DIRECTION, round=3).bits([0, 1], count=5).shape
        (2, 5)
    """

    key: int
    purpose: Purpose
    round: int = 0
    step: int = 0
    tensor: int = 0

    def __post_init__(self) -> None:
        check_place("key", self.key, MAX_KEY)
        check_place("round", self.round, MAX_ROUND)
        check_place("local step", self.step, MAX_STEP)
        check_place("tensor", self.tensor, MAX_TENSOR)

    @property
    def top(self) -> int:
        """Word 3 of the counter."""
        return (int(self.purpose) << 28) | (self.step << 16) | self.tensor

    def blocks(self, index: ArrayLike, block: ArrayLike) -> NDArray[np.uint32]:
        """Return the four words at each (index, block), broadcast; shape [..., 4]."""
        return philox4x32((block, index, self.round, self.top), self.key)

    def words(self, index: ArrayLike, count: int) -> NDArray[np.uint32]:
        """Return the first `count` words of each index's stream; shape [len(index), count]."""
        n_blocks = -(-count // 4)
        rows = np.atleast_1d(np.asarray(index, dtype=np.uint64))
        found = self.blocks(rows[:, None], np.arange(n_blocks, dtype=np.uint64)[None, :])
        return found.reshape(len(rows), n_blocks * 4)[:, :count]

    def bits(self, index: ArrayLike, count: int) -> NDArray[np.uint8]:
        """Return the first `count` bits of each index's stream; shape [len(index), count], 0 or 1.

        Bit j is bit j mod 32, lowest first, of word j div 32.
        """
        check_place("number of blocks", -(-count // BITS_PER_BLOCK) - 1 if count else 0, MAX_BLOCK)
        words = self.words(index, -(-count // 32)).astype("<u4")
        return np.unpackbits(words.view(np.uint8), axis=1, count=count, bitorder="little")
