"""Random choices, cheap enough for a million inputs, and the same for the same key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
BLOCK = 1 << 14
EDGES = tuple(
    sorted(
        {0, 1, 2, 3, 2**16 - 1, 2**24, 2**24 + 1, 2**40, 2**40 + 1, 2**63 - 1, 2**64 - 1}
        | {2**n + d for n in (7, 8, 15, 16, 31, 32, 63) for d in (-1, 0)}
    )
)


class Draws:
    """A stream of random words, drawn many at a time.

    Args:
        key: integers; equal ones give equal streams.

    Example:
        >>> [Draws(0).below(10) for _ in range(3)] == [Draws(0).below(10)] * 3
        True
    """

    def __init__(self, *key: int) -> None:
        self.rng = np.random.default_rng(key)
        self._words: list[int] = []

    def word(self) -> int:
        """Return 32 random bits."""
        if not self._words:
            self._words = self.rng.integers(0, 2**32, BLOCK, dtype=np.uint64).tolist()
        return self._words.pop()

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1; `limit` at most 2^32."""
        return self.word() * limit >> 32

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`."""
        return low + self.below(high - low + 1)

    def chance(self, of: int) -> bool:
        """Return True once in `of` times."""
        return self.below(of) == 0

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def bits(self, bits: int) -> int:
        """Return an unsigned integer of up to 64 bits: small, any, or at an edge."""
        way = self.below(4)
        if way == 0:
            return self.pick(EDGES) & ((1 << bits) - 1)
        wide = self.word() << 32 | self.word()
        return wide >> (64 - (bits if way > 1 else self.between(1, bits)))

    def bytes(self, count: int) -> bytes:
        """Return random bytes."""
        if count > 64:
            return self.rng.bytes(count)
        words = b"".join(self.word().to_bytes(4, "little") for _ in range(-(-count // 4)))
        return words[:count]

    def integers(self, limit: int, count: int) -> NDArray[np.int64]:
        """Return integers within ±`limit`; int64 [count]."""
        return self.rng.integers(-limit, limit, count, dtype=np.int64, endpoint=True)
