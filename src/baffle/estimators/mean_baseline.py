"""Forward differences against the mean of the other losses: K probes, no base pass."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from baffle.errors import ConfigError
from baffle.estimators.base import (
    Derivatives,
    Layout,
    Losses,
    finite_or_zero,
    mean,
    mean_finite,
    numbers,
    over_kept,
    pair_derivatives,
)


class MeanBaseline:
    """d_k = (l_k - mean of l_j over j ≠ k) / σ, l_k = L(θ + σ z_k).

    Leaving out l_k itself keeps the estimate unbiased (as σ → 0) at any K; the baseline adds 1/K
    to the relative variance. The first `pairs` directions are probed with both signs and give
    central differences, and the energies of the odd and the even part by which `auto` chooses.
    """

    name: ClassVar[str] = "mean_baseline"
    code: ClassVar[int] = 2

    def layout(self, num_directions: int, pairs: int) -> Layout:
        """Return K points with sign +1, then the first `pairs` directions with sign -1."""
        if num_directions - pairs < 2:
            raise ConfigError(
                f"mean_baseline needs at least 2 one-sided directions, got {num_directions} "
                f"directions of which {pairs} are antithetic"
            )
        signs = np.r_[np.ones(num_directions), -np.ones(pairs)].astype(np.int8)
        return Layout(np.concatenate((numbers(num_directions), numbers(pairs))), signs)

    def derivatives(
        self, losses: Losses, num_directions: int, pairs: int, radius: float
    ) -> Derivatives:
        """Return central differences for the pairs, leave-one-out differences for the rest."""
        odd, odd_energy, even_energy = pair_derivatives(
            losses[..., :pairs], losses[..., num_directions:], radius
        )
        single = leave_one_out(losses[..., pairs:num_directions]) / radius
        values, finite = finite_or_zero(np.concatenate((odd, single), axis=-1))
        return Derivatives(values, finite, mean_finite(losses), odd_energy, even_energy)


def leave_one_out(losses: Losses) -> Losses:
    """Return l_k minus the mean of the other finite losses; nan where that is undefined."""
    finite = np.isfinite(losses)
    count = finite.sum(axis=-1, keepdims=True)
    centre = np.asarray(over_kept(mean, losses, finite))[..., None]
    differences = np.where(finite & (count > 1), losses - centre, np.nan)
    return np.asarray(differences * (count / np.maximum(count - 1, 1)))
