"""int8 weights: trained tensors that stand for whole numbers of steps, kept where an int8 is.

A trained tensor whose name is `int8`, or ends in `.int8`, holds weights in units of 128 steps.
After each update it is cut to |u| ≤ 126/128, so that a direction of one step stays within an int8.
With `stochastic` it is first moved to the grid: up with the probability of what is left over.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from baffle.directions.coordinates import Purpose, Stream
from baffle.updates.ops import Ops
from baffle.updates.state import Array, Slot

NAME = "int8"
STEP_EXPONENT = -7  # log2 of a step, in the tensor's own units
LARGEST = 126  # steps


def on_grid(tensor_name: str) -> bool:
    """Say whether a trained tensor holds int8 weights."""
    return tensor_name.rpartition(".")[2] == NAME


@dataclass(frozen=True)
class Grid:
    """Keeps int8 weights within their range, or on their grid.

    Args:
        stochastic: whether an update ends on the grid.
        key: the run key, which the rounding is drawn from.
        numbers: of the tensors, by name; for the same.
    """

    stochastic: bool = False
    key: int = 0
    numbers: Mapping[str, int] = field(default_factory=dict)

    def kept(self, weights: Slot, round: int, ops: Ops) -> Slot:
        """Return the weights after a round's update: int8 ones changed, all others the same."""
        return {
            name: self._kept(name, u, round, ops) if on_grid(name) else u
            for name, u in weights.items()
        }

    def _kept(self, name: str, u: Array, round: int, ops: Ops) -> Array:
        most = LARGEST * 2.0**STEP_EXPONENT
        if self.stochastic:
            shares = self._shares(self.numbers[name], tuple(u.shape), round, ops)
            u = ops.floor(u * 2.0**-STEP_EXPONENT + shares) * 2.0**STEP_EXPONENT
        return ops.clip(u, -most, most)

    def _shares(self, number: int, shape: tuple[int, ...], round: int, ops: Ops) -> Array:
        """Return what is added before rounding down: uniform in [0, 1), in steps of 2^-16."""
        stream = Stream(self.key, Purpose.GRID, round=round, tensor=number)
        size = math.prod(shape)
        words = stream.words([0], -(-size // 2))[0].astype("<u4")
        halves = words.view("<u2")[:size].astype(np.float32)
        return ops.adopt((halves * np.float32(2.0**-16)).reshape(shape))
