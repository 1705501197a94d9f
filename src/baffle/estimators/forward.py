"""Forward differences against the base loss: the paper's choice, K + 1 probes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from baffle.estimators.base import (
    Derivatives,
    Layout,
    Losses,
    finite_or_zero,
    mean_finite,
    no_figure,
    numbers,
)


class Forward:
    """d_k = (L(θ + σ z_k) - L(θ)) / σ.

    Unbiased as σ → 0; the even part of the loss adds a common offset and its own variance.
    Source: Feng et al. 2024, Algorithm 1 and equation (4).
    """

    name: ClassVar[str] = "forward"
    code: ClassVar[int] = 0

    def layout(self, num_directions: int, pairs: int) -> Layout:
        """Return the base point, then K points with sign +1."""
        directions = np.concatenate((numbers(1), numbers(num_directions)))
        return Layout(directions, np.r_[0, np.ones(num_directions)].astype(np.int8))

    def derivatives(
        self, losses: Losses, num_directions: int, pairs: int, radius: float
    ) -> Derivatives:
        """Return differences against the base; all left out if the base is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            values, finite = finite_or_zero((losses[..., 1:] - losses[..., :1]) / radius)
        none = no_figure(losses)
        return Derivatives(values, finite, mean_finite(losses[..., :1]), none, none)
