"""Deal a round's clients to groups: a function of (key, round), as even as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from baffle.directions.coordinates import Purpose, Stream
from baffle.errors import ConfigError

DEALING = 1  # local step of the stream that a cohort is dealt by; the cohort itself has 0


@dataclass(frozen=True)
class Groups:
    """Who is in which group of a round.

    Args:
        members: client numbers by group, ascending in each.
    """

    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.members)

    @cached_property
    def _of(self) -> dict[int, int]:
        return {client: g for g, some in enumerate(self.members) for client in some}

    def of(self, client: int) -> int:
        """Return a client's group."""
        return self._of[client]


def group_count(clients: int, wanted: int, least: int) -> int:
    """Return how many groups there can be, if none may have fewer than `least` clients.

    Args:
        clients: of the round.
        wanted: groups that the settings ask for; 0 for as many as there can be.
        least: smallest group allowed.

    Example:
        >>> group_count(clients=20, wanted=8, least=4), group_count(3, 8, 4)
        (5, 1)
    """
    if clients < 1 or wanted < 0 or least < 1:
        raise ConfigError(
            f"expected clients, groups and a least size, got {clients}, {wanted} and {least}"
        )
    most = max(1, clients // least)
    return min(wanted, most) if wanted else most


def deal(key: int, round: int, cohort: Sequence[int], groups: int) -> Groups:
    """Deal a cohort to groups whose sizes differ by one at the most.

    Args:
        key: run key.
        round: round number.
        cohort: client numbers.
        groups: how many, 1 to the cohort's size.

    Example:
        >>> sorted(map(len, deal(key=0, round=3, cohort=range(10), groups=3).members))
        [3, 3, 4]
    """
    clients = np.sort(np.asarray(cohort, dtype=np.int64))
    if not 1 <= groups <= len(clients):
        raise ConfigError(f"expected 1 to {len(clients)} groups of the cohort, got {groups}")
    words = Stream(key, Purpose.COHORT, round, DEALING).blocks(clients, 0)
    lots = words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]
    shuffled = clients[np.lexsort((clients, lots))]
    dealt = [np.sort(shuffled[g::groups]).tolist() for g in range(groups)]
    return Groups(tuple(map(tuple, dealt)))
