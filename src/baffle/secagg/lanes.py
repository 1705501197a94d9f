"""The form of the vectors that are summed, and how wide a lane must be so that no sum can wrap.

n clients whose integers stay within ±bound have a sum within ±n·bound: 2·n·bound + 1 values. A lane
of b bits holds them if 2^b is more than 2·n·bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from baffle.errors import BoundError, DecodeError
from baffle.packing import pack_codes, packed_size, unpack_codes

MAX_BITS = 63
MAX_LANES = 2**24 + 64


@dataclass(frozen=True)
class Block:
    """Lanes next to each other with one bound.

    Args:
        count: how many, from 1.
        bound: largest absolute value of one client's integer, from 1.
    """

    count: int
    bound: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.bound < 1:
            raise BoundError(
                f"lanes: expected a count and a bound of at least 1, got {self.count} and "
                f"{self.bound}"
            )

    def bits(self, members: int) -> int:
        """Return a lane's width for a sum over so many clients.

        Raises:
            BoundError: it would pass 63 bits.

        Example:
            >>> Block(64, 127).bits(10)
            12
        """
        bits = (2 * members * self.bound).bit_length()
        if bits > MAX_BITS:
            raise BoundError(
                f"lanes: {members} clients with integers within ±{self.bound} have sums within "
                f"±{members * self.bound}, which take {bits} bits of {MAX_BITS}: fewer clients a "
                "group, smaller weights or fewer bits"
            )
        return bits


@dataclass(frozen=True)
class Lanes:
    """The blocks of one vector, in order."""

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_LANES:
            raise BoundError(f"lanes: expected 1 to {MAX_LANES} integers, got {self.count}")

    @cached_property
    def count(self) -> int:
        """Integers in a vector."""
        return sum(block.count for block in self.blocks)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each block lies."""
        ends = list(accumulate((block.count for block in self.blocks), initial=0))
        return tuple(map(slice, ends[:-1], ends[1:]))

    def size(self, members: int) -> int:
        """Return the bytes of a packed vector: each block from a byte of its own."""
        return sum(packed_size(b.count, b.bits(members)) for b in self.blocks)

    def describe(self) -> bytes:
        """Return the one encoding of these lanes, which masks are bound to."""
        return b"".join(
            b.count.to_bytes(4, "little") + b.bound.to_bytes(8, "little") for b in self.blocks
        )

    def check(self, vector: NDArray[np.int64], parts: int = 1) -> None:
        """Raise BoundError unless a vector can be the sum of so many clients' vectors."""
        if vector.dtype != np.int64 or vector.shape != (self.count,):
            raise BoundError(
                f"lanes: expected int64 [{self.count}], got {vector.dtype} {list(vector.shape)}"
            )
        for block, where in zip(self.blocks, self.slices, strict=True):
            low, high = int(vector[where].min()), int(vector[where].max())
            if max(-low, high) > parts * block.bound:
                raise BoundError(
                    f"lanes {where.start} to {where.stop - 1}: expected integers within "
                    f"±{parts * block.bound}, got {low} to {high}"
                )

    def pack(self, words: NDArray[np.uint64], members: int) -> bytes:
        """Return the low bits of 64-bit words, each lane in its width.

        Args:
            words: uint64 [count], sums modulo 2^64.
            members: n, which the widths are for.
        """
        packed = []
        for block, where in zip(self.blocks, self.slices, strict=True):
            bits = block.bits(members)
            packed.append(pack_codes(words[where] & np.uint64(2**bits - 1), bits))
        return b"".join(packed)

    def unpack(self, data: bytes, members: int) -> NDArray[np.uint64]:
        """Return the words of a packed vector.

        Raises:
            DecodeError: another length, or padding bits that are set.
        """
        if len(data) != self.size(members):
            raise DecodeError(
                f"masked vector: expected {self.size(members)} bytes, got {len(data)}"
            )
        words = np.empty(self.count, dtype=np.uint64)
        at = 0
        for block, where in zip(self.blocks, self.slices, strict=True):
            bits = block.bits(members)
            size = packed_size(block.count, bits)
            words[where] = unpack_codes(data[at : at + size], block.count, bits)
            at += size
        return words

    def signed(self, words: NDArray[np.uint64], members: int) -> NDArray[np.int64]:
        """Return the integers that the low bits of 64-bit words stand for, from both sides of 0."""
        values = np.empty(self.count, dtype=np.int64)
        for block, where in zip(self.blocks, self.slices, strict=True):
            up = np.uint64(64 - block.bits(members))
            values[where] = (words[where] << up).view(np.int64) >> np.int64(up)
        return values
