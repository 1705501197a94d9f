"""Radii by tensor: where the gradient's entries are small, directions reach further.

With scales s_l an estimate has the squared error (Σ_l d_l/s_l²)(Σ_l s_l² |g_l|²)/K. It is least at
s_l ∝ d_l^(1/4)/|g_l|^(1/2), that is (mean squared entry)^(-1/4), where it is (Σ_l √d_l |g_l|)²/K:
by Cauchy and Schwarz never above d|g|²/K, which equal scales have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baffle.directions import ModelSignature
from baffle.protocol import Plan
from baffle.updates import TrainState
from baffle.updates.energies import ENERGIES, Energies

LEAST = 2.0**-16  # of the largest energy: so no scale is more than 4 octaves above another
STICK = 0.75  # of an octave: by less a scale does not move, so that noise moves none
SURE = 2.0  # standard errors below which an energy is not taken to be smaller


@dataclass(frozen=True)
class TensorRadii:
    """Chooses by the energies that the training state keeps.

    Args:
        signature: of the model.
        decay: of the energies' average.
    """

    signature: ModelSignature
    decay: float

    def choose(self, last: Plan, state: TrainState) -> tuple[int, ...]:
        """Return the scale exponents of the round after `last`, which led to this state."""
        kept = state.slots[ENERGIES]
        now = last.tensor_scales(self.signature)
        sizes = {tensor.name: tensor.size for _, tensor in self.signature.trained}
        keep = Energies(self.decay).keep(max(0, state.updates - 1))
        errors = {
            name: standard_error(keep, size, last.sums, scale)
            for (name, size), scale in zip(sizes.items(), now, strict=True)
        }
        return next_scales({name: float(kept[name][0]) for name in sizes}, errors, sizes, now)


def standard_error(keep: float, size: int, count: int, scale: int) -> float:
    """Return the standard error of an energy, √(2/d_l)/(n s_l²) · √((1 - a)/(1 + a)).

    Args:
        keep: a, how much of the average of before was kept in the last round.
        size: d_l.
        count: n, scalars of a round.
        scale: log2 s_l.
    """
    return math.sqrt((1 - keep) / (1 + keep) * 2 / size) / (count * 4.0**scale)


def next_scales(
    energies: Mapping[str, float],
    errors: Mapping[str, float],
    sizes: Mapping[str, int],
    now: Sequence[int],
) -> tuple[int, ...]:
    """Return log2 s_l by tensor, such that Σ d_l s_l² = d before rounding.

    So a perturbation stays as long as with equal scales, and the reference radius comparable.

    Args:
        energies: measured mean squared entry of the gradient, in any one unit.
        errors: standard errors of the energies.
        sizes: d_l, in canonical order.
        now: log2 s_l of the round before.

    Returns:
        One exponent a tensor; empty where all are 0.

    Example:
        >>> next_scales({"a": 1.0, "b": 2.0**-8}, {"a": 0.0, "b": 0.0}, {"a": 8, "b": 8}, (0, 0))
        (-2, 0)
    """
    known = {name: max(energies[name], SURE * errors[name]) for name in sizes}
    least = LEAST * max(known.values())
    if not least:
        return tuple(now) if any(now) else ()
    power = {name: max(energy, least) ** -0.5 for name, energy in known.items()}  # s_l²
    mean = sum(sizes[name] * power[name] for name in sizes) / sum(sizes.values())
    found = tuple(
        _moved(0.5 * math.log2(power[name] / mean), old)
        for name, old in zip(sizes, now, strict=True)
    )
    return found if any(found) else ()


def _moved(wanted: float, now: int) -> int:
    return round(wanted) if abs(wanted - now) > STICK else now
