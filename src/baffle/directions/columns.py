"""A direction's factors side by side, as one row of numbers: what an exported graph takes.

Tensors stand in canonical order. One that has rank-one factors takes O + I + L columns (out, inner,
kernel; L = 0 for a matrix), any other as many as it has entries. The scale, sign · radius, is
multiplied into the out factor, or into the entries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baffle.directions.factors import RankOne
from baffle.directions.points import Points
from baffle.directions.rank_one import RankOneKind, factor_lengths
from baffle.directions.signature import ModelSignature, TensorSpec
from baffle.errors import ProbeError


@dataclass(frozen=True)
class TensorColumns:
    """Where one tensor's numbers stand in a row.

    Args:
        tensor: its name and shape.
        start: of the first column.
        lengths: O, I, L of rank-one factors (L = 0 for a matrix); (size,) of a vector.
    """

    tensor: TensorSpec
    start: int
    lengths: tuple[int, ...]

    @property
    def scaled(self) -> slice:
        """The columns that the scale is multiplied into."""
        return slice(self.start, self.start + self.lengths[0])

    @property
    def stop(self) -> int:
        """Behind its last column."""
        return self.start + sum(self.lengths)


@dataclass(frozen=True)
class Columns:
    """The layout of rank-one directions of a model.

    Args:
        signature: of the model.

    Example:
        >>> layer = ModelSignature((TensorSpec("b", (2,)), TensorSpec("w", (2, 3))))
        >>> Columns(layer).width
        7
    """

    signature: ModelSignature

    @cached_property
    def places(self) -> tuple[TensorColumns, ...]:
        """One a trained tensor, in canonical order."""
        return tuple(self._placed())

    @property
    def width(self) -> int:
        """Numbers a direction."""
        return self.places[-1].stop

    def _placed(self) -> Iterator[TensorColumns]:
        start = 0
        for _, tensor in self.signature.trained:
            factored = len(tensor.shape) >= 2
            place = TensorColumns(
                tensor, start, factor_lengths(tensor.shape) if factored else (tensor.size,)
            )
            yield place
            start = place.stop

    def draw(self, points: Points) -> NDArray[np.int8]:
        """Return the points' directions as ±1, neither signed nor scaled; int8 [P, width].

        Raises:
            ProbeError: their kind has no rank-one factors.
        """
        if not isinstance(points.kind, RankOneKind):
            raise ProbeError(f"expected rank_one directions, got {points.kind.name}")
        found = np.empty((len(points), self.width), dtype=np.int8)
        drawn = points.factors(self.signature)
        for place in self.places:
            factors, row = drawn[place.tensor.name], found[:, place.start : place.stop]
            if isinstance(factors, RankOne):
                kernel = (factors.kernel,) if place.lengths[2] else ()
                np.concatenate((factors.out, factors.inner, *kernel), axis=1, out=row)
            else:
                row[:] = factors.dense().reshape(len(points), -1)
        return found

    def scaled(self, points: Points, signs: NDArray[np.int8]) -> NDArray[np.float32]:
        """Return rows for a graph: `draw`'s signs with each point's scale; float32 [P, width]."""
        found = signs.astype(np.float32)
        for place, exponent in zip(self.places, points.radius_exponents, strict=True):
            found[:, place.scaled] *= points.scale(exponent)[:, None]
        return found
