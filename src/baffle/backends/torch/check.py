"""Is a fast route right for this module? A few points against the slow truth, once.

The check moves weights far, by about a quarter of each tensor's own size, so that a module that
mixes points, or examples of different points, is wrong by much more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from baffle.backends.torch.losses import HALVES
from baffle.directions import ModelSignature, Points

FAR = -2  # log2 of the moves' size in units of a tensor's root mean square
LOST = -4  # log2 of the moves' size for a tensor of zeros
ROUNDINGS = 64


def far_points(points: Points, signature: ModelSignature, parameters: Mapping[str, Tensor]) -> Points:
    """Return the same points at radii of a quarter of each tensor's root mean square, or larger."""
    sizes = [parameters[t.name].detach().double().square().mean().sqrt().item() for _, t in signature.trained]
    far = [math.frexp(s)[1] + FAR if 0 < s < math.inf else LOST for s in sizes]
    exponents = tuple(max(e, f) for e, f in zip(points.radius_exponents, far, strict=True))
    return replace(points, radius_exponents=exponents)


def tolerance(dtype: torch.dtype, depth: int, scale: float) -> float:
    """Return how far two correct evaluations of a loss may lie apart.

    Each of `depth` operations rounds its sums in float32 or better (64 eps allows for sums of some
    thousand terms) and its result in the module's own type (4 eps). Errors add up along the depth,
    relative to scale = 1 + |loss| + largest output.
    """
    summed = torch.finfo(torch.float32 if dtype in HALVES else dtype).eps
    return depth * (ROUNDINGS * summed + 4 * torch.finfo(dtype).eps) * scale


def agree(fast: Tensor, slow: Tensor, within: float) -> bool:
    """Say whether two sets of losses agree; equal infinities and NaN count as equal."""
    a, b = fast.double(), slow.double()
    return bool(torch.isclose(a, b, rtol=0.0, atol=within, equal_nan=True).all())
