"""Which of a few examples a client probes on: those that teach most, without bias.

An example whose loss is near 0 has almost no gradient, and K probes on it say almost nothing. So a
client looks at M examples once each, and picks B of them with probabilities p that follow their
losses. Weights 1/(M·B·p) make the picked ones stand for all M: the expected sum over picks is the
mean over the candidates, at any p. With n example evaluations a round, the directions' part of an
estimate's error falls from d·E|g_i|²/n to about d·(E|g_i|)²/n.

For cross-entropy 1 - exp(-loss) is 1 minus the probability of the right class, to which the length
of an example's gradient is about proportional.

Source: Katharopoulos and Fleuret, "Not All Samples Are Created Equal", ICML 2018; here by the loss
alone, since a client that can only run inference has nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVEN = 1 / 8  # share of picks that ignores the losses: no weight passes 8 times an even one

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Picked:
    """Examples to probe on.

    Args:
        places: of B candidates, int64 [B], ascending; one may stand twice.
        weights: float64 [B], by which their losses are added up.
    """

    places: NDArray[np.int64]
    weights: Floats


def shares(losses: Floats) -> Floats:
    """Return the probability of each candidate, float64 [M]; they add up to 1.

    Args:
        losses: of each candidate, at the weights that are probed around. One that is not finite
            teaches nothing: picked, it would spoil the losses of its whole batch.

    Example:
        >>> shares(np.array([0.0, 100.0])).tolist()
        [0.0625, 0.9375]
    """
    teaches = np.where(np.isfinite(losses), -np.expm1(-np.maximum(losses, 0.0)), 0.0)
    total, even = teaches.sum(), 1 / len(losses)
    if not total > 0:
        return np.full(len(losses), even)
    return np.asarray((teaches / total) * (1 - EVEN) + EVEN * even)


def pick(probabilities: Floats, size: int, uniform: float) -> Picked:
    """Return `size` candidates by systematic sampling: each stands in it size·p times on average.

    Args:
        probabilities: of the M candidates.
        size: B.
        uniform: one random number in 0 … 1, below 1.

    Example:
        >>> pick(np.array([0.25, 0.75]), 2, 0.4).places.tolist()
        [0, 1]
    """
    edges = np.cumsum(probabilities)
    at = (uniform + np.arange(size)) / size * edges[-1]
    places = np.minimum(np.searchsorted(edges, at, side="right"), len(edges) - 1)
    return Picked(places, 1 / (len(edges) * size * probabilities[places]))
