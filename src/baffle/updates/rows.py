"""The directions of a round that are summed: all local steps in one list, without zeros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Place
from baffle.directions.exact import Integers
from baffle.directions.packed import SpanTable, draw_packed


@dataclass(frozen=True)
class Rows:
    """Directions whose coefficient is not zero, by local step and index.

    What has no coefficient is not drawn. And a float sum of terms none of which is zero never
    ends at -0, which an integer could not be.

    Args:
        place: key, round and first local step.
        steps: int64 [n], ascending, local steps after the first.
        directions: uint32 [n], indices in their local step.
        coefficients: int64 [n].
    """

    place: Place
    steps: NDArray[np.int64]
    directions: NDArray[np.uint32]
    coefficients: Integers

    @classmethod
    def of(cls, place: Place, values: Integers) -> Rows:
        """Return the rows of summed integers [H, K]."""
        steps, directions = np.nonzero(values)
        return cls(place, steps, directions.astype(np.uint32), values[steps, directions])

    def __len__(self) -> int:
        return len(self.coefficients)

    def packed(self, start: int, stop: int, table: SpanTable) -> NDArray[np.uint32]:
        """Return the packed words of rows start to stop; uint32 [stop - start, W]."""
        parts = [
            draw_packed(replace(self.place, step=self.place.step + h), self.directions[run], table)
            for h, run in self._runs(start, stop)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _runs(self, start: int, stop: int) -> Iterator[tuple[int, slice]]:
        """Yield (local step, rows) for every local step that has rows among start to stop."""
        for h in range(int(self.steps[start]), int(self.steps[stop - 1]) + 1):
            first, last = np.searchsorted(self.steps[start:stop], (h, h + 1)) + start
            if first < last:
                yield h, slice(first, last)
