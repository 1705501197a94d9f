"""How far clients' gradients differ: between them, after what their batches add is taken out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from baffle.drivers.diagnose.figures import Drift
from baffle.drivers.diagnose.measuring.place import Examples, Floats, Place
from baffle.drivers.diagnose.reading import Slot

CLIENTS, HALF, DIRECTIONS = 16, 32, 32
LABELLED = 256  # examples of a client whose labels are looked at


def drift(place: Place, weights: Slot, radius: int) -> Drift | None:
    """Return how far clients differ at these weights; None with fewer than two to tell by.

    Two halves of a client's examples give derivatives along the same directions, whose product has
    the mean |g|² + h² (per direction); that of two clients has |g|².

    Args:
        place: of the run.
        weights: at which.
        radius: log2 of σ.
    """
    rows = [place.task.rows[c] for c in _whose(place) if len(place.task.rows[c]) > 1]
    if len(rows) < 2:
        return None
    found = np.array([_halves(place, weights, own, radius) for own in rows])
    ratio = excess(found)
    labels = [_labels(place, r[:LABELLED]) for r in rows]
    counts = [len(set(found)) for found in labels]
    known = all(counts)
    return Drift(
        ratio,
        float(np.mean(counts)) if known else math.nan,
        len({x for found in labels for x in found}) if known else 0,
        len(rows),
    )


def _whose(place: Place) -> list[int]:
    count = len(place.task.rows)
    return sorted({c * count // CLIENTS for c in range(CLIENTS)})


def _halves(place: Place, weights: Slot, rows: Examples, radius: int) -> list[Floats]:
    rows = rows[: 2 * HALF]
    return [
        place.central(place.full, weights, part, radius, DIRECTIONS)
        for part in (rows[0::2], rows[1::2])
    ]


def excess(found: Floats) -> float:
    """Return h²/|g|² as far as it is sure: h² less two standard errors over |g|² plus two.

    At its start a balanced task's mean gradient is small, and without that care noise alone would
    make the ratio large.

    Args:
        found: derivatives [clients, 2 halves, directions].

    Example:
        >>> same = np.ones((4, 2, 8))
        >>> excess(same)
        0.0
    """
    count, means = len(found), found.mean(axis=1)
    own = np.mean(found[:, 0] * found[:, 1], axis=0)
    pairs = count * (count - 1)
    shared = (means.sum(axis=0) ** 2 - (means**2).sum(axis=0)) / pairs
    apart = float(np.mean(own - shared)) - 2 * _error(own - shared)
    together = max(0.0, float(np.mean(shared))) + 2 * _error(shared)
    return max(0.0, apart) / together if together else 0.0


def _error(values: Floats) -> float:
    """Return the standard error of a mean."""
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _labels(place: Place, rows: Examples) -> list[int]:
    """Return the classes among these examples; empty if targets are something else."""
    targets: Any = place.task.train.batch(rows)[1]
    classes = isinstance(targets, Tensor) and targets.ndim == 1
    if not classes or targets.is_floating_point():
        return []
    return [int(label) for label in targets.unique()]
