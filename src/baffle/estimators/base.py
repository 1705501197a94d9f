"""What every estimator shares: which points to probe, and what comes of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """The points of one local step: direction numbers and signs, in probing order."""

    directions: NDArray[np.uint32]
    signs: NDArray[np.int8]


@dataclass(frozen=True)
class Derivatives:
    """Directional derivatives, and what the losses tell about themselves.

    Args:
        values: loss difference over radius, float64 [K]; 0 where `finite` is false.
        finite: which directions had only finite losses; the others are left out and counted.
        loss: mean of the finite losses (their base, for `forward`); nan if there is none.
        odd: mean square of the odd part over radius, from antithetic pairs; 0 without pairs.
        even: variance of the even part over radius², from antithetic pairs; 0 without pairs.
    """

    values: Losses
    finite: NDArray[np.bool_]
    loss: float
    odd: float = 0.0
    even: float = 0.0


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
        """Return the derivatives from the losses at the layout's points."""
        ...


def numbers(count: int) -> NDArray[np.uint32]:
    """Return 0 … count - 1 as direction numbers."""
    return np.arange(count, dtype=np.uint32)


def mean_finite(losses: Losses) -> float:
    """Return the mean of the finite losses, nan if there is none."""
    kept = losses[np.isfinite(losses)]
    return float(kept.mean()) if len(kept) else float("nan")


def finite_or_zero(values: Losses) -> tuple[Losses, NDArray[np.bool_]]:
    """Return values with zeros for what is not finite, and which were finite."""
    finite = np.isfinite(values)
    return np.where(finite, values, 0.0), finite


def pair_derivatives(plus: Losses, minus: Losses, radius: float) -> tuple[Losses, float, float]:
    """Return central derivatives (not finite where a loss is not), odd and even energies.

    With o = (l₊ - l₋)/2 and e = (l₊ + l₋)/2: derivative o/σ, odd mean (o/σ)², even var(e)/σ².
    """
    with np.errstate(invalid="ignore", over="ignore"):
        odd, even = (plus - minus) / 2 / radius, (plus + minus) / 2 / radius
    kept = np.isfinite(odd) & np.isfinite(even)
    if kept.sum() < 2:
        return odd, 0.0, 0.0
    return odd, float(np.mean(odd[kept] ** 2)), float(np.var(even[kept], ddof=1))
