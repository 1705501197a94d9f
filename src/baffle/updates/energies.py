"""How large the gradient's entries are, tensor by tensor: what radii by tensor are chosen by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from baffle.updates.ops import Ops, f32, tree_mean_square
from baffle.updates.state import Slot

ENERGIES = "energies"


@dataclass(frozen=True)
class Floor:
    """What the directions alone put into an estimate, signal or none.

    Args:
        square: F = f² Σ_k Q_k², the mean square of an entry where s_l = 1; f is what a sum of
            Q_k z_k is multiplied by.
        count: n, how many scalars were summed.
        scale_exponents: log2 s_l by tensor name.
    """

    square: float
    count: int
    scale_exponents: Mapping[str, int]


@dataclass(frozen=True)
class Energies:
    """r_l ← a r_l + (1 - a) (mean e_l² / F - 1/s_l²) / n with a = min(decay, (1 + t)/(10 + t)).

    For an estimate e_l = (1/n) Σ_k d_k z_kl / s_l from ±1 directions, mean e_l² is
    (1/n²) Σ_jk d_j d_k ⟨z_jl, z_kl⟩ / (s_l² d_l). The terms with j = k are known exactly, since
    ‖z_kl‖² = d_l: they are F/s_l², and the others are unbiased for |g_l|²/d_l. So r_l estimates the
    mean squared entry of tensor l's gradient over the mean squared scalar. Its standard error in
    one round is about √(2/d_l) / (n s_l²).

    Args:
        decay: of the average over rounds.
    """

    decay: float

    def keep(self, count: int) -> float:
        """Return a, where `count` updates came before."""
        return min(self.decay, (1 + count) / (10 + count))

    def init(self, weights: Slot, ops: Ops) -> Slot:
        """Return r = 0 for every tensor, arrays of one entry."""
        return {name: ops.asarray(np.zeros(1, np.float32)) for name in weights}

    def apply(self, energies: Slot, estimate: Slot, floor: Floor, count: int, ops: Ops) -> Slot:
        """Return the new averages.

        Args:
            energies: before.
            estimate: the round's, by tensor.
            floor: of this estimate.
            count: updates before this one.
            ops: array library.
        """
        if not floor.square:
            return energies
        keep = self.keep(count)
        found = {}
        for name, e in estimate.items():
            own = math.ldexp(1.0, -2 * floor.scale_exponents[name])
            seen = (tree_mean_square(e, ops) / floor.square - own) / floor.count
            mixed = keep * float(energies[name][0]) + (1 - keep) * seen
            found[name] = ops.asarray(np.array([f32(mixed)], np.float32))
        return found
