"""Step-size schedules: round and number of rounds to a factor. One row a schedule.

The factor goes into the plan, and so into the ledger: replay reads it and never computes a cosine.
"""

from __future__ import annotations

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda round, rounds: 1.0,
    "cosine": lambda round, rounds: 0.5 * (1 + math.cos(math.pi * min(1.0, round / rounds))),
    "linear": lambda round, rounds: max(0.0, 1 - round / rounds),
}
