"""Central differences: antithetic pairs, 2K probes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from baffle.estimators.base import (
    Derivatives,
    Layout,
    Losses,
    finite_or_zero,
    mean_finite,
    numbers,
    pair_derivatives,
)


class Central:
    """d_k = (L(θ + σ z_k) - L(θ - σ z_k)) / 2σ.

    Its bias is of third order in σ, and the even part of the loss drops out; but at equal probes it
    has half the directions, hence twice the squared error while the odd part dominates.
    Source: Feng et al. 2024, section 3.1.
    """

    name: ClassVar[str] = "central"
    code: ClassVar[int] = 1

    def layout(self, num_directions: int, pairs: int) -> Layout:
        """Return K points with sign +1, then the same directions with sign -1."""
        signs = np.repeat(np.array([1, -1], dtype=np.int8), num_directions)
        return Layout(np.tile(numbers(num_directions), 2), signs)

    def derivatives(
        self, losses: Losses, num_directions: int, pairs: int, radius: float
    ) -> Derivatives:
        """Return half differences over the radius; a pair with a non-finite loss is left out."""
        odd, odd_energy, even_energy = pair_derivatives(
            losses[..., :num_directions], losses[..., num_directions:], radius
        )
        values, finite = finite_or_zero(odd)
        return Derivatives(values, finite, mean_finite(losses), odd_energy, even_energy)
