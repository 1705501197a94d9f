"""Who takes part in a round: a function of (key, round, roster size), in the cohort's memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from baffle.cohort.groups import Groups, deal, group_count
from baffle.cohort.turns import take_turns
from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.subset import draw_subset
from baffle.errors import ConfigError


def cohort_size(clients: int, participation: float, cohort: int = 0) -> int:
    """Return how many clients are asked: `cohort` if given, else the share, at least one.

    Raises:
        ConfigError: no clients, a share outside (0, 1], or a cohort larger than the roster.

    Example:
        >>> cohort_size(10, 0.5)
        5
    """
    if clients < 1:
        raise ConfigError(f"a federation needs at least one client, got {clients}")
    if not 0 < participation <= 1:
        raise ConfigError(f"participation must lie in (0, 1], got {participation}")
    if not 0 <= cohort <= clients:
        raise ConfigError(f"cohort must lie in 0 to the number of clients, {clients}; got {cohort}")
    return cohort or max(1, round(clients * participation))


def draw_cohort(key: int, round: int, clients: int, size: int) -> NDArray[np.int64]:
    """Draw `size` distinct clients of `clients`, ascending; every subset equally likely.

    Memory and time of the cohort, whatever the roster's size.

    Args:
        key: run key.
        round: round number.
        clients: roster size, below 2^32.
        size: cohort size, 1 to `clients`.

    Example:
        >>> draw_cohort(key=0, round=1, clients=1_000_000, size=3).shape
        (3,)
    """
    if not 1 <= size <= clients < 2**32:
        raise ConfigError(f"expected 1 ≤ cohort ≤ clients < 2^32, got cohort {size} of {clients}")
    return draw_subset(Stream(key, Purpose.COHORT, round), clients, size)


COHORTS: dict[str, Callable[[int, int, int, int], NDArray[np.int64]]] = {
    "drawn": draw_cohort,
    "turns": take_turns,
}


def most_participations(
    key: int, rounds: int, clients: int, size: int, cohorts: str = "drawn"
) -> int:
    """Return in how many rounds the client that is asked most often takes part, at most.

    Args:
        key: run key.
        rounds: of the run.
        clients, size: as for `draw_cohort`.
        cohorts: a row of COHORTS.

    Example:
        >>> most_participations(key=0, rounds=10, clients=5, size=5)
        10
    """
    if size == clients or cohorts == "turns":
        return -(-rounds // (clients // size))
    drawn = [draw_cohort(key, round, clients, size) for round in range(rounds)]
    return int(np.unique(np.concatenate(drawn), return_counts=True)[1].max())


def chance(key: int, round: int, step: int, clients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in (0, 1) for each client: simulated faults are a function of (key, round).

    Args:
        key: run key.
        round: round number.
        step: which fault, so that two kinds of fault are independent.
        clients: client numbers.
    """
    words = Stream(key, Purpose.FAULT, round, step).blocks(clients, 0)[:, 0]
    share: NDArray[np.float64] = (words.astype(np.float64) + 0.5) * 2.0**-32
    return share


__all__ = [
    "COHORTS",
    "Groups",
    "chance",
    "cohort_size",
    "deal",
    "draw_cohort",
    "group_count",
    "most_participations",
    "take_turns",
]
