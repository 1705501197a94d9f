"""Bytes up and down, as encoded, of a federation whose clients catch up when they are asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Traffic:
    """Counts what would cross the network.

    A client that is asked gets the plan, and before it what it missed: the plans and outcomes
    since it was last asked, or the whole state if that is smaller (always the first time).

    Args:
        snapshot: bytes of the whole training state.
    """

    snapshot: int
    up: int = 0
    down: int = 0
    _sizes: list[int] = field(default_factory=lambda: [0])  # bytes of all rounds before each round
    _asked: dict[int, int] = field(default_factory=dict)  # client to the round it last followed to

    def ask(self, round: int, cohort: NDArray[np.int64], plan: int) -> None:
        """Count a round's downlink: a plan of `plan` bytes to each of the cohort."""
        for number in cohort.tolist():
            self.down += plan + self._catch_up(number, round)
            self._asked[number] = round

    def _catch_up(self, number: int, round: int) -> int:
        if number not in self._asked:
            return self.snapshot
        return min(self.snapshot, self._sizes[round] - self._sizes[self._asked[number]])

    def report(self, size: int) -> None:
        """Count a report of `size` bytes."""
        self.up += size

    def close(self, size: int) -> None:
        """Count a closed round, whose plan and outcome take `size` bytes together."""
        self._sizes.append(self._sizes[-1] + size)
