"""What is added to each parameter at the points, kept for the next client with the same points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from baffle.backends.torch.moved import Delta, delta_of
from baffle.directions import ModelSignature, Points
from baffle.directions.masked import Masked


class Drawing:
    """Draw the deltas of points, and return the last ones again if asked for the same points.

    Clients that share directions are asked about the same points one after another. Directions of
    all kinds but the masked one are a function of the points alone.

    Args:
        signature: the model's.
    """

    def __init__(self, signature: ModelSignature) -> None:
        self.signature = signature
        self._key: object = None
        self._deltas: dict[str, Delta] = {}

    def deltas(
        self, points: Points, parameters: Mapping[str, Tensor], weights: Mapping[str, Any]
    ) -> dict[str, Delta]:
        """Return what is added to each parameter at the points, by name."""
        key = _identity(points)
        if key is not None and key == self._key:
            return self._deltas
        factors, scales = points.factors(self.signature, weights), points.scales(self.signature)
        found = {n: delta_of(factors[n], scales[n], p) for n, p in parameters.items()}
        self._key, self._deltas = key, found
        return found


def _identity(points: Points) -> object:
    """Return what the directions are a function of, None if of more than the points."""
    if isinstance(points.kind, Masked):
        return None
    arrays = points.directions.tobytes(), points.signs.tobytes()
    return points.place, points.kind, points.radius_exponents, *arrays
