"""Perturbed copies of weights, drawn tensor by tensor: theta + scale · z.

For directions that have no rank-one factors, and graphs that take weights. The arithmetic is that
of docs/protocol.md: scale · z is exact in float32, and the sum is rounded once, as torch does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.weights import Weights
from baffle.directions import ModelSignature, Points

AT_ONCE = 2**16  # entries of several copies of a small model, which are drawn by one call


def moved_weights(
    weights: Weights, signature: ModelSignature, points: Points
) -> Iterator[Mapping[str, NDArray[np.float32]]]:
    """Yield the weights at each point, float32 by name, in arrays that later points overwrite.

    A model of more than AT_ONCE / 2 entries is held as one copy at a time.

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
    together = min(len(points), max(1, AT_ONCE // signature.dimension))
    room = {t.name: np.empty((together, *t.shape), np.float32) for _, t in signature.trained}
    for start in range(0, len(points), together):
        part = points.part(start, start + together)
        for (number, tensor), exponent in zip(
            signature.trained, part.radius_exponents, strict=True
        ):
            stream, theta = part.place.stream(number), weights[tensor.name]  # perhaps from disk
            z = part.kind.draw(stream, part.directions, tensor, {tensor.name: theta}).dense()
            own = room[tensor.name][: len(part)]
            scale = part.scale(exponent).reshape(-1, *[1] * len(tensor.shape))
            np.multiply(z, scale, out=own, dtype=np.float32)
            own += theta
        for place in range(len(part)):
            yield {name: copies[place, ...] for name, copies in room.items()}
