"""What the shared batteries run on: a model's tensors of every number of axes, and its weights."""

import numpy as np

from baffle.directions import ModelSignature, TensorSpec, make_kind

SHAPES = ((), (5,), (3, 4), (1, 7), (4, 3, 2), (3, 2, 3, 3), (2, 1, 2, 1, 2))
SIGNATURE = ModelSignature(tuple(TensorSpec(f"t{i}", shape) for i, shape in enumerate(SHAPES)))


def weights(seed=0, zeros=0.3, signature=SIGNATURE):
    """Return weights of which a share is exactly zero in tensors with two axes or more."""
    rng = np.random.default_rng(seed)
    made = {}
    for tensor in signature.tensors:
        values = rng.standard_normal(tensor.shape).astype(np.float32)
        if len(tensor.shape) >= 2:
            values = np.where(rng.random(tensor.shape) < zeros, np.float32(0), values)
        made[tensor.name] = np.asarray(values, dtype=np.float32)
    return made


def kinds(key=7):
    """Return one kind of each name, masked at two densities."""
    return [
        make_kind("rank_one", key),
        make_kind("rademacher", key),
        make_kind("gaussian", key),
        make_kind("masked", key),
        make_kind("masked", key, density=0.25),
    ]
