"""L2 regularisation: the estimate of the loss plus λ/2 ‖θ‖²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.updates.ops import Ops, f32
from baffle.updates.parts import Moment
from baffle.updates.state import Slot


@dataclass(frozen=True)
class L2:
    """g ← g + λ θ, before momentum and second moments see it (unlike decoupled decay)."""

    decay: float
    name: ClassVar[str] = "l2"
    by_entry: ClassVar[bool] = True

    def init(self, weights: Slot, ops: Ops) -> dict[str, Slot]:
        """No slots."""
        return {}

    def apply(self, estimate: Slot, now: Moment) -> tuple[Slot, dict[str, Slot]]:
        """Return g + λ θ."""
        decay = f32(self.decay)
        return {name: g + now.weights[name] * decay for name, g in estimate.items()}, {}
