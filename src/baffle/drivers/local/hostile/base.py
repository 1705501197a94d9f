"""What attacks share: who is hostile, what the hostile ones know, and what a report may say.

Attacks are for simulation. They write legal reports only: the server's checks cannot tell them
from honest ones, which is the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation.rules import portion
from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.subset import draw_subset
from baffle.errors import ConfigError
from baffle.quantisation import Quantiser

# Which fault it is, after dropouts and late answers: no two share random numbers.
HOSTILE, LEVELS = 2, 3
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """What the hostile clients of a round know together.

    Args:
        quantiser: of the plan; the levels that a report can hold.
        honest: int64 [m, L], what each of them would have answered honestly.
        clients: n, how many clients answer in the round, the hostile ones among them.
        words: uint32 [m, L], random numbers for those who want some.
    """

    quantiser: Quantiser
    honest: Integers
    clients: int
    words: NDArray[np.uint32]


class Attack(Protocol):
    """A way to be hostile: through the data, through the reports, or both."""

    @property
    def name(self) -> str:
        """The row of ATTACKS."""
        ...

    def targets(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        """Return what a hostile client trains on instead of its targets.

        Raises:
            ConfigError: the attack does not work with such targets.
        """
        ...

    def values(self, scene: Scene) -> Integers:
        """Return what the hostile clients report instead; int64 [m, L], levels of the quantiser."""
        ...


class HonestData:
    """The part of an attack that leaves the data as they are."""

    def targets(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        """Return the targets."""
        return targets


class HonestReports:
    """The part of an attack that leaves the reports as they are."""

    def values(self, scene: Scene) -> Integers:
        """Return the honest values."""
        return scene.honest


def hostile_clients(key: int, clients: int, share: float) -> frozenset[int]:
    """Return which clients are hostile, the whole run long: floor(share × clients) of them.

    Args:
        key: run key.
        clients: roster size.
        share: 0 to 1.

    Raises:
        ConfigError: a share outside 0 to 1.

    Example:
        >>> len(hostile_clients(key=3, clients=10, share=0.2))
        2
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"expected a hostile share of 0 to 1, got {share}")
    size = portion(share, clients)
    if not size:
        return frozenset()
    drawn = draw_subset(Stream(key, Purpose.FAULT, 0, HOSTILE), clients, size)
    return frozenset(drawn.tolist())


def attack_words(key: int, round: int, clients: Integers, count: int) -> NDArray[np.uint32]:
    """Return the random words of hostile clients in a round; uint32 [m, count]."""
    return Stream(key, Purpose.FAULT, round, LEVELS).words(clients, count)


def to_levels(wanted: NDArray[np.float64], quantiser: Quantiser) -> Integers:
    """Return the nearest levels of the quantiser, which has no 0 when it has one bit."""
    limit = quantiser.limit
    if quantiser.bits == 1:
        return np.where(wanted < 0, -1, 1).astype(np.int64)
    return np.rint(np.clip(wanted, -limit, limit)).astype(np.int64)
