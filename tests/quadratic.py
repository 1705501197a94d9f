"""A loss that needs no framework: half the mean squared distance to a client's own points."""

import numpy as np


def quadratic(centres, signature, weights, points):
    """Return the mean over centres of |theta - centre|² / 2 at each point; float64 [P].

    Tensors stand in `theta` in the order of the signature.
    """
    factors, scales = points.factors(signature, weights), points.scales(signature)
    moved = np.concatenate(
        [
            np.asarray(weights[t.name]).reshape(1, -1)
            + scales[t.name][:, None] * factors[t.name].dense().reshape(len(points), -1)
            for t in signature.tensors
        ],
        axis=1,
        dtype=np.float64,
    )
    return ((moved[:, None] - centres[None]) ** 2).sum(axis=2).mean(axis=1) / 2
