"""Perturbed copies of weights, one point and one tensor at a time: theta + scale · z.

For directions that have no rank-one factors, and graphs that take weights. The arithmetic is that
of docs/protocol.md: scale · z is exact in float32, and the sum is rounded once, as torch does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.weights import Weights
from baffle.directions import ModelSignature, Points


def moved_weights(
    weights: Weights, signature: ModelSignature, points: Points
) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    """Yield the weights at each point, float32 by name, in arrays that the next point overwrites.

    Args:
        weights: theta, float32; what masked directions are drawn from. Read only.
        signature: of the model.
        points: of any kind.

    Example:
        >>> from baffle.directions import Place, TensorSpec, make_kind
        >>> of = np.array([0.5, 0.0, -0.25, 0.0], np.float32).reshape(2, 2)
        >>> kind, both = make_kind("masked", 0), np.array([1, -1], np.int8)
        >>> asked = Points(Place(0, 0), kind, (-3,), np.zeros(2, np.uint32), both)
        >>> at = [w["w"].copy() for w in moved_weights(
        ...     {"w": of}, ModelSignature((TensorSpec("w", (2, 2)),)), asked)]
        >>> bool(at[0][:, 1].any()), np.array_equal(at[0] + at[1], 2 * of)
        (False, True)
    """
    room = {tensor.name: np.empty(tensor.shape, np.float32) for _, tensor in signature.trained}
    for place in range(len(points)):
        one = points.part(place, place + 1)
        for (number, tensor), exponent in zip(signature.trained, one.radius_exponents, strict=True):
            own, theta = room[tensor.name], weights[tensor.name]
            if not one.signs.any():
                own[...] = theta
                continue
            drawn = one.kind.draw(one.place.stream(number), one.directions, tensor, weights)
            np.multiply(drawn.dense()[0], one.scale(exponent)[0], out=own, dtype=np.float32)
            own += theta
        yield room
