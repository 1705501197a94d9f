"""Heavy-ball momentum, linear in the scalars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.updates.ops import Ops, f32
from baffle.updates.parts import Moment, zeros
from baffle.updates.state import Slot


@dataclass(frozen=True)
class Momentum:
    """m ← β m + (1 - β) g; the step is m.

    The factor (1 - β) keeps the step's scale that of one estimate, so that the step size means the
    same for every β.
    """

    beta: float
    name: ClassVar[str] = "momentum"
    by_entry: ClassVar[bool] = True

    def init(self, weights: Slot, ops: Ops) -> dict[str, Slot]:
        """Return m = 0."""
        return {"momentum": zeros(weights, ops)}

    def apply(self, estimate: Slot, now: Moment) -> tuple[Slot, dict[str, Slot]]:
        """Return the new m as estimate and slot."""
        keep, take = f32(self.beta), f32(1 - self.beta)
        moved = {n: now.slots["momentum"][n] * keep + g * take for n, g in estimate.items()}
        return moved, {"momentum": moved}
