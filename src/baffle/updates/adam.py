"""Adam on the rebuilt estimate, with one second moment an entry or one a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from baffle.updates.ops import Ops, f32, power, tree_mean_square
from baffle.updates.parts import Moment, zeros
from baffle.updates.state import Slot


@dataclass(frozen=True)
class Adam:
    """m̂ / (√v̂ + ε) with bias-corrected moments.

    m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²;  m̂ = m / (1 - β₁ᵗ);  v̂ = v / (1 - β₂ᵗ).
    With `by_tensor`, v holds the mean of g² over the tensor in every entry: fewer noisy numbers to
    divide by, and the direction within a tensor is kept.

    Source: Kingma and Ba, ICLR 2015, Algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    by_tensor: bool = False
    name: ClassVar[str] = "adam"

    @property
    def by_entry(self) -> bool:
        """Whether each entry has a second moment of its own."""
        return not self.by_tensor

    def init(self, weights: Slot, ops: Ops) -> dict[str, Slot]:
        """Return both moments at zero."""
        return {"adam.first": zeros(weights, ops), "adam.second": zeros(weights, ops)}

    def apply(self, estimate: Slot, now: Moment) -> tuple[Slot, dict[str, Slot]]:
        """Return m̂ / (√v̂ + ε) and the new moments."""
        count = now.count + 1
        correct1 = f32(1 / (1 - power(self.beta1, count)))
        correct2 = f32(1 / (1 - power(self.beta2, count)))
        first = _mix(now.slots["adam.first"], estimate, self.beta1)
        second = _mix(now.slots["adam.second"], self._squares(estimate, now.ops), self.beta2)
        epsilon = f32(self.epsilon)
        step = {
            name: (first[name] * correct1) / (now.ops.sqrt(second[name] * correct2) + epsilon)
            for name in estimate
        }
        return step, {"adam.first": first, "adam.second": second}

    def _squares(self, estimate: Slot, ops: Ops) -> Slot:
        if not self.by_tensor:
            return {name: g * g for name, g in estimate.items()}
        return {
            name: ops.zeros_like(g) + f32(tree_mean_square(g, ops)) for name, g in estimate.items()
        }


def _mix(old: Slot, new: Slot, beta: float) -> Slot:
    keep, take = f32(beta), f32(1 - beta)
    return {name: old[name] * keep + value * take for name, value in new.items()}
