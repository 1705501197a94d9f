"""The waist between mathematics and models: where to evaluate the loss.

A backend gets the weights, a `Points` and the numbers of the examples, and returns one loss a
point. It knows nothing of estimators, quantisation or protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions.factors import Factors
from baffle.directions.kind import Indices, Kind, Place, Weights
from baffle.directions.signature import ModelSignature


@dataclass(frozen=True)
class Points:
    """Points theta + sign_p · sum over tensors of 2^(radius exponent) · z of direction p.

    Args:
        place: run key, round and local step.
        kind: the directions' kind.
        radius_exponents: log2 of the radius, one a trained tensor in canonical order.
        directions: uint32 [P], the direction's index in its local step.
        signs: int8 [P]: +1, -1, or 0 for the unperturbed point.
    """

    place: Place
    kind: Kind
    radius_exponents: tuple[int, ...]
    directions: Indices
    signs: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.directions)

    def part(self, start: int, stop: int) -> Points:
        """Return points start to stop: a chunk."""
        return Points(
            self.place,
            self.kind,
            self.radius_exponents,
            self.directions[start:stop],
            self.signs[start:stop],
        )

    def factors(
        self, signature: ModelSignature, weights: Weights | None = None
    ) -> dict[str, Factors]:
        """Return the factors of every point by tensor name (unsigned and unscaled)."""
        return {
            tensor.name: self.kind.draw(self.place.stream(number), self.directions, tensor, weights)
            for number, tensor in signature.trained
        }

    def scales(self, signature: ModelSignature) -> dict[str, NDArray[np.float32]]:
        """Return sign_p · 2^(radius + unit exponent) by tensor name; float32 [P], exact."""
        return {
            tensor.name: self.scale(exponent)
            for (_, tensor), exponent in zip(signature.trained, self.radius_exponents, strict=True)
        }

    def scale(self, exponent: int) -> NDArray[np.float32]:
        """Return sign_p · 2^(exponent + unit exponent), for a radius exponent; float32 [P]."""
        return np.ldexp(self.signs.astype(np.float32), exponent + self.kind.unit_exponent)


class Probe(Protocol):
    """Evaluate losses: the one call between mathematics and models."""

    def __call__(
        self,
        weights: Mapping[str, NDArray[np.float32]],
        points: Points,
        examples: NDArray[np.int64],
        /,
    ) -> NDArray[np.float64]:
        """Return the mean loss over the examples at each point; float64 [P].

        The weights' bits are the same before and after, also when it raises.
        """
        ...
