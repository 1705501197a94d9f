"""What every estimator shares: which points to probe, and what comes of the losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]
Figure = Any  # a float for one client, float64 [C] for many


@dataclass(frozen=True)
class Layout:
    """The points of one local step: direction numbers and signs, in probing order."""

    directions: NDArray[np.uint32]
    signs: NDArray[np.int8]


@dataclass(frozen=True)
class Derivatives:
    """Directional derivatives, and what the losses tell about themselves.

    Of one client, or of C clients with a leading axis: then the three figures are [C].

    Args:
        values: loss difference over radius, float64 [..., K]; 0 where `finite` is false.
        finite: which directions had only finite losses; the others are left out and counted.
        loss: mean of the finite losses (their base, for `forward`); nan if there is none.
        odd: mean square of the odd part over radius, from antithetic pairs; 0 without pairs.
        even: variance of the even part over radius², from antithetic pairs; 0 without pairs.
    """

    values: Losses
    finite: NDArray[np.bool_]
    loss: Figure
    odd: Figure
    even: Figure


class Estimator(Protocol):
    """Losses at probe points to directional derivatives.

    Attributes:
        name: as in a configuration file.
        code: as on the wire.
    """

    name: ClassVar[str]
    code: ClassVar[int]

    def layout(self, num_directions: int, pairs: int) -> Layout:
        """Return the points to probe for K directions, the first `pairs` of them antithetic."""
        ...

    def derivatives(
        self, losses: Losses, num_directions: int, pairs: int, radius: float
    ) -> Derivatives:
        """Return the derivatives from the losses [..., P] at the layout's points.

        Clients with a leading axis get the bits that each alone would get.
        """
        ...


def numbers(count: int) -> NDArray[np.uint32]:
    """Return 0 … count - 1 as direction numbers."""
    return np.arange(count, dtype=np.uint32)


def over_kept(
    figure: Callable[[Losses], Figure], values: Losses, kept: NDArray[np.bool_]
) -> Figure:
    """Return a figure, taken along the last axis, of each row's kept values."""
    if kept.all():
        return figure(values)
    if values.ndim == 1:
        return figure(values[kept])
    return np.array([over_kept(figure, v, k) for v, k in zip(values, kept, strict=True)])


def mean(values: Losses) -> Figure:
    """Return the mean along the last axis, nan of nothing."""
    return np.mean(values, axis=-1) if values.shape[-1] else np.nan


def mean_finite(losses: Losses) -> Figure:
    """Return the mean of the finite losses, nan if there is none."""
    return over_kept(mean, losses, np.isfinite(losses))


def finite_or_zero(values: Losses) -> tuple[Losses, NDArray[np.bool_]]:
    """Return values with zeros for what is not finite, and which were finite."""
    finite = np.isfinite(values)
    return np.where(finite, values, 0.0), finite


def no_figure(losses: Losses) -> Figure:
    """Return the figure 0 of each client: nothing was measured."""
    return np.zeros(losses.shape[:-1])[()]


def pair_derivatives(plus: Losses, minus: Losses, radius: float) -> tuple[Losses, Figure, Figure]:
    """Return central derivatives (not finite where a loss is not), odd and even energies.

    With o = (l₊ - l₋)/2 and e = (l₊ + l₋)/2: derivative o/σ, odd mean (o/σ)², even var(e)/σ².
    """
    with np.errstate(invalid="ignore", over="ignore"):
        odd, even = (plus - minus) / 2 / radius, (plus + minus) / 2 / radius
    kept = np.isfinite(odd) & np.isfinite(even)
    return odd, over_kept(_mean_square, odd, kept), over_kept(_variance, even, kept)


def _mean_square(values: Losses) -> Figure:
    return no_figure(values) if values.shape[-1] < 2 else np.mean(values**2, axis=-1)


def _variance(values: Losses) -> Figure:
    return no_figure(values) if values.shape[-1] < 2 else np.var(values, axis=-1, ddof=1)
