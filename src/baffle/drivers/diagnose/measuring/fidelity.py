"""How much of the derivatives that a run sends is signal, and at which radius it would be most.

Central differences at two radii that are both right agree; where curvature of third order or the
rounding of losses decides, they do not. So the radius at which neighbours agree best is the
reference, and what the run's own estimator finds along the same directions is held against it.
"""

from __future__ import annotations

from statistics import median

import numpy as np

from baffle.backends.torch import TorchProbe
from baffle.drivers.diagnose.figures import Fidelity
from baffle.drivers.diagnose.measuring.place import DIRECTIONS, Examples, Floats, Place
from baffle.drivers.diagnose.reading import Slot

RADII = range(-2, -20, -2)  # log2


def fidelity(place: Place, weights: Slot) -> Fidelity:
    """Return the median over two clients' batches.

    Args:
        place: of the run.
        weights: at which.
    """
    found = [_on_batch(place, weights, batch) for batch in place.batches]
    return Fidelity(
        median(f.own for f in found),
        median(f.full for f in found),
        round(median(f.best for f in found)),
        median(f.agreement for f in found),
        median(f.central for f in found),
    )


def best_radius(place: Place, weights: Slot, batch: int) -> int:
    """Return log2 of the radius at which central differences in float32 agree best."""
    return _reference(place, place.full, weights, place.batches[batch])[0]


def agreement(one: Floats, other: Floats) -> float:
    """Return the squared cosine of two vectors, 0 if one has no length.

    Example:
        >>> agreement(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
        0.5
    """
    lengths = float(one @ one) * float(other @ other)
    return float(one @ other) ** 2 / lengths if lengths > 0 and np.isfinite(lengths) else 0.0


def _on_batch(place: Place, weights: Slot, batch: Examples) -> Fidelity:
    best, reference, sure = _reference(place, place.full, weights, batch)
    full = agreement(_as_the_run(place, place.full, weights, batch), reference)
    here = place.central(place.own, weights, batch, place.plan.radius_exponent)
    central = agreement(here, reference)
    if place.own is place.full:
        return Fidelity(full, full, best, sure, central)
    own = agreement(_as_the_run(place, place.own, weights, batch), reference)
    by_radius = {
        r: agreement(place.central(place.own, weights, batch, r), reference) for r in RADII
    }
    best = max(by_radius, key=by_radius.__getitem__)
    return Fidelity(own, full, best, by_radius[best], central)


def _reference(
    place: Place, probe: TorchProbe, weights: Slot, batch: Examples
) -> tuple[int, Floats, float]:
    """Return log2 of the best radius, the derivatives there, and how well its neighbour agrees."""
    found = {r: place.central(probe, weights, batch, r) for r in RADII}
    agreed = {r: agreement(found[r], found[r - 2]) for r in RADII if r - 2 in found}
    best = max(agreed, key=agreed.__getitem__)
    return best - 1, found[best] + found[best - 2], agreed[best]


def _as_the_run(place: Place, probe: TorchProbe, weights: Slot, batch: Examples) -> Floats:
    """Return derivatives by the run's estimator at the run's radius, without antithetic pairs."""
    plan = place.plan
    layout = plan.estimator.layout(DIRECTIONS, 0)
    losses = probe(
        weights, place.points(layout.directions, layout.signs, plan.radius_exponent), batch
    )
    return plan.estimator.derivatives(losses, DIRECTIONS, 0, plan.radius).values
