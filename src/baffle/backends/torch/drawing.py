"""What is added to each parameter at the points, kept for the next client with the same points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baffle.backends.torch.layout import Layout
from baffle.backends.torch.moved import Delta, delta_of
from baffle.directions import ModelSignature, Points
from baffle.directions.masked import Masked
from baffle.directions.rademacher import Rademacher
from baffle.directions.rank_one import RankOneKind

Homes = tuple[tuple[str, torch.dtype, torch.device], ...]  # of the parameters, by name


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
        self._layout: tuple[object, Layout] | None = None

    def deltas(
        self, points: Points, parameters: Mapping[str, Tensor], weights: Mapping[str, Any]
    ) -> dict[str, Delta]:
        """Return what is added to each parameter at the points, by name."""
        homes = tuple((name, p.dtype, p.device) for name, p in parameters.items())
        key = _identity(points, homes)
        if key is not None and key == self._key:
            return self._deltas
        if isinstance(points.kind, RankOneKind | Rademacher):
            found = self._layout_of(points, parameters, homes).deltas(points)
        else:
            found = self._drawn(points, parameters, weights)
        self._key, self._deltas = key, found
        return found

    def _drawn(
        self, points: Points, parameters: Mapping[str, Tensor], weights: Mapping[str, Any]
    ) -> dict[str, Delta]:
        factors, scales = points.factors(self.signature, weights), points.scales(self.signature)
        return {n: delta_of(factors[n], scales[n], p) for n, p in parameters.items()}

    def _layout_of(self, points: Points, parameters: Mapping[str, Tensor], homes: Homes) -> Layout:
        """Return where the bits stand: made again only for another kind or parameters' types."""
        factored = isinstance(points.kind, RankOneKind)
        key = factored, homes
        if self._layout is None or self._layout[0] != key:
            self._layout = key, Layout(self.signature, parameters, factored)
        return self._layout[1]


def _identity(points: Points, homes: Homes) -> object:
    """Return what the deltas are a function of, None if of the weights as well."""
    if isinstance(points.kind, Masked):
        return None
    arrays = points.directions.tobytes(), points.signs.tobytes()
    return points.place, points.kind, points.radius_exponents, homes, *arrays
