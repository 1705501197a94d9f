"""Sums of ±1 directions from their packed bits, never expanded: transposed, then looked up.

Sixteen directions at a time, the bits of one entry are brought together into a 16-bit number, and
a table of the 65,536 sums ±q_1 ± … ± q_16 says what they add up to. Bits come together by the
transposition of a 16 × 16 square of them in four passes that swap halves, quarters and so on
(Warren, "Hacker's Delight", section 7-3), on four squares in each 64-bit word.

Sums are integers of 32 bits where the bound allows, else of 64.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from baffle.directions.exact import Integers

Sums = NDArray[np.signedinteger]
Words = tuple[NDArray[np.uint64], ...]

GROUP = 16  # directions a table
WINDOW = 2**13  # words summed at once: fewer pay for calls, more leave the caches
_OFFSET = 16  # words more a row, so that rows do not share a cache set: four times as fast
_INT32 = 2**31
_LOWER_FIRST = 1 if sys.byteorder == "little" else -1
# Distance in rows and bits, and the lower halves of the squares of twice that size.
_SWAPS = tuple(
    (shift, np.array(shift, np.uint64), np.array(mask, np.uint64))
    for shift, mask in (
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    )
)


@cache
def sign_table() -> NDArray[np.int8]:
    """Return the eight signs of each byte, int8 [256, 8]: +1 for bit 0, -1 for bit 1."""
    every = np.arange(256, dtype=np.uint8)[:, None]
    bits = np.unpackbits(every, axis=1, bitorder="little").astype(np.int8)
    return (1 - 2 * bits).astype(np.int8)


def sum_table(coefficients: Integers, dtype: np.dtype[np.signedinteger]) -> Sums:
    """Return sum_k ±coefficients[k] for every pattern; bit k of the index is direction k's bit.

    Args:
        coefficients: int64 [at most 16]; missing ones are 0.
        dtype: of the sums.
    """
    padded = np.zeros(GROUP, dtype=dtype)
    padded[: len(coefficients)] = coefficients
    low, high = (half[:, None] * sign_table().T for half in (padded[:8], padded[8:]))
    both: Sums = high.sum(axis=0, dtype=dtype)[:, None] + low.sum(axis=0, dtype=dtype)
    return both.reshape(-1)


class SignTotals:
    """Sums of ±1 directions over a stretch of at most `capacity` packed words.

    Args:
        capacity: a multiple of four, at most WINDOW for speed.
        limit: what no sum can pass; below 2^63.
    """

    def __init__(self, capacity: int, limit: int) -> None:
        wide: type[np.signedinteger] = np.int32 if limit < _INT32 else np.int64
        self._dtype = np.dtype(wide)
        # Row r, column h holds entry 16·h + r: as the transposition leaves them.
        self._sums = np.empty((GROUP, 2 * (capacity + _OFFSET)), dtype=self._dtype)
        self._found = np.empty(GROUP * 2 * capacity, dtype=self._dtype)
        self._index = np.empty(GROUP * 2 * capacity, dtype=np.intp)
        self._bits = np.zeros((GROUP, capacity + _OFFSET), dtype=np.uint32)
        self._spare = np.empty(GROUP // 2 * (capacity // 2), dtype=np.uint64)
        self._words = 0
        self._tables: tuple[bytes, list[Sums]] = (b"", [])

    def begin(self, words: int) -> None:
        """Forget the sums and begin a stretch of this many words."""
        self._words = words
        self._sums[:, : 2 * words] = 0

    def add(self, words: NDArray[np.uint32], coefficients: Integers) -> None:
        """Add coefficients[k] times direction k, whose bits are row k of words [n, W]."""
        into = self._sums[:, : 2 * self._words]
        for group, table in enumerate(self._tables_of(coefficients)):
            into += self._looked_up(words[GROUP * group : GROUP * (group + 1)], table)

    def rounded(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the sums of entries start to stop, each rounded once to float32.

        `start` is a multiple of 16.
        """
        part = self._sums[:, start // GROUP : -(-stop // GROUP)]
        found = np.empty((part.shape[1], GROUP), dtype=np.float32)
        found.T[...] = part
        return found.reshape(-1)[: stop - start]

    def _tables_of(self, coefficients: Integers) -> list[Sums]:
        """Return a table for every 16 coefficients; the last ones again if they are the same."""
        key = coefficients.tobytes()
        if key != self._tables[0]:
            starts = range(0, len(coefficients), GROUP)
            made = [sum_table(coefficients[k : k + GROUP], self._dtype) for k in starts]
            self._tables = key, made
        return self._tables[1]

    def _looked_up(self, rows: NDArray[np.uint32], table: Sums) -> Sums:
        """Return the table's sums of at most 16 rows of words, [16, 2·W]; overwritten next time."""
        width = self._words
        self._bits[: len(rows), :width], self._bits[len(rows) :, :width] = rows, 0
        _transpose(self._bits.view(np.uint64)[:, : width // 2], self._spare)
        size = GROUP * 2 * width
        index, found = (a[:size].reshape(GROUP, -1) for a in (self._index, self._found))
        halves = self._bits.view(np.uint16)[:, : 2 * width].reshape(GROUP, width, 2)
        np.copyto(index.reshape(GROUP, width, 2), halves[..., ::_LOWER_FIRST])
        # "wrap" writes to `out` directly; every index is in range.
        return table.take(index, out=found, mode="wrap")


def _transpose(bits: NDArray[np.uint64], spare: NDArray[np.uint64]) -> None:
    """Transpose each 16 × 16 square of bits, in place: bit k of row r becomes bit r of row k."""
    for low, high, part, shift, mask in _halves(bits, spare):
        np.right_shift(low, shift, out=part)
        np.bitwise_xor(part, high, out=part)
        np.bitwise_and(part, mask, out=part)
        np.bitwise_xor(high, part, out=high)
        np.left_shift(part, shift, out=part)
        np.bitwise_xor(low, part, out=low)


def _halves(bits: NDArray[np.uint64], spare: NDArray[np.uint64]) -> Iterator[Words]:
    width = bits.shape[1]
    for distance, shift, mask in _SWAPS:
        squares = bits.reshape(-1, 2, distance, width)
        part = spare[: GROUP // 2 * width].reshape(-1, distance, width)
        yield squares[:, 0], squares[:, 1], part, shift, mask
