"""Clients that never answer or answer late, by configuration, as a function of (key, round)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.cohort import chance

DROPOUT, SLOW = 0, 1


@dataclass(frozen=True)
class Faults:
    """Simulated faults.

    Args:
        key: run key.
        dropout: share of asked clients that never answer.
        slow: share of the others whose answer comes after the round closed.
    """

    key: int
    dropout: float = 0.0
    slow: float = 0.0

    def split(
        self, round: int, cohort: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (on time, late) of a round's cohort; the rest never answer."""
        answering = cohort[chance(self.key, round, DROPOUT, cohort) >= self.dropout]
        late = chance(self.key, round, SLOW, answering) < self.slow
        return answering[~late], answering[late]
