"""The parts of a chain of updates: each makes a better estimate of an estimate, and keeps slots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from baffle.updates.ops import Ops
from baffle.updates.state import Slot

Slots = Mapping[str, Slot]


@dataclass(frozen=True)
class Moment:
    """What a part may look at: the weights, its own slots, the count of updates before this one."""

    weights: Slot
    slots: Slots
    count: int
    ops: Ops


class Part(Protocol):
    """A pure function on (estimate, slots), each tensor by itself."""

    name: ClassVar[str]

    @property
    def by_entry(self) -> bool:
        """Whether it goes entry by entry: any stretch of a tensor may go alone."""
        ...

    def init(self, weights: Slot, ops: Ops) -> dict[str, Slot]:
        """Return the part's slots before the first round."""
        ...

    def apply(self, estimate: Slot, now: Moment) -> tuple[Slot, dict[str, Slot]]:
        """Return the new estimate and the part's new slots."""
        ...


def zeros(weights: Slot, ops: Ops) -> Slot:
    """Return a slot of zeros in the weights' shapes."""
    return {name: ops.zeros_like(array) for name, array in weights.items()}
