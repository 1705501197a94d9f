"""Clients take turns: nobody is asked again before everyone else of the lap was asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.errors import ConfigError

TURNS = 2  # local step of the stream that a lap's order is drawn by; cohorts have 0, groups 1
MOST_CLIENTS = 2**24  # a lap's order is held at once: 128 MiB


def take_turns(key: int, round: int, clients: int, size: int) -> NDArray[np.int64]:
    """Return `size` distinct clients of `clients`, ascending: those whose turn it is.

    A lap is clients div size rounds. The roster is shuffled for each lap and dealt out in its
    order; the clients mod size that are left over sit the lap out. So in T rounds nobody takes
    part more often than ⌈T / (clients div size)⌉ times, where drawing anew each round gives some
    clients nearly twice their share, and privacy is counted by the client that was asked most.

    Args:
        key: run key.
        round: round number.
        clients: roster size, at most 2^24.
        size: cohort size, 1 to `clients`.

    Example:
        >>> sorted(c for r in range(3) for c in take_turns(key=0, round=r, clients=6, size=2))
        [0, 1, 2, 3, 4, 5]
    """
    if not 1 <= size <= clients <= MOST_CLIENTS:
        raise ConfigError(
            f"expected 1 ≤ cohort ≤ clients ≤ {MOST_CLIENTS} to take turns, got cohort {size} of "
            f"{clients}"
        )
    lap, turn = divmod(round, clients // size)
    words = Stream(key, Purpose.COHORT, lap, TURNS).blocks(np.arange(clients, dtype=np.uint64), 0)
    lots = words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]
    order = np.argsort(lots, kind="stable")
    return np.sort(order[turn * size : (turn + 1) * size])
