"""Exponential moving average of the weights: what is evaluated and shipped."""

from __future__ import annotations

from dataclasses import dataclass

from baffle.updates.ops import f32
from baffle.updates.state import Slot


@dataclass(frozen=True)
class Average:
    """ē ← a ē + (1 - a) θ with a = min(decay, (1 + t)/(10 + t)), t updates before this one.

    The ramp lets the average forget the first weights. Source: the paper's reference code, which
    averages once an epoch; here once a round.
    """

    decay: float

    def apply(self, average: Slot, weights: Slot, count: int) -> Slot:
        """Return the new average."""
        decay = min(self.decay, (1 + count) / (10 + count))
        keep, take = f32(decay), f32(1 - decay)
        return {name: average[name] * keep + w * take for name, w in weights.items()}
