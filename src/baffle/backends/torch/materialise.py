"""Perturbed copies of weights, entry by entry: theta + scale_p · z_p."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.backends.torch.losses import HALVES
from baffle.directions import ModelSignature, Points


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which perturbed entries are summed: float32, or float64 for float64."""
    return torch.float32 if dtype in HALVES else dtype


def scaled(z: NDArray[np.signedinteger], scale: NDArray[np.float32], like: Tensor) -> Tensor:
    """Return scale_p · z_p as a tensor [P, ...] in the wide type, exactly."""
    values = torch.from_numpy(np.ascontiguousarray(z)).to(like.device, wide(like.dtype))
    sigma = torch.from_numpy(scale).to(values)
    return values.mul_(sigma.view(-1, *[1] * (values.dim() - 1)))


def perturbed_weights(
    parameters: Mapping[str, Tensor],
    signature: ModelSignature,
    points: Points,
    weights: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return theta + perturbation at each point, [P, *shape] by name.

    Args:
        parameters: theta as loaded into the module.
        signature: the module's.
        points: where to.
        weights: float32 theta, which masked directions are drawn from.

    Returns:
        Fresh tensors of the parameters' types: P times the memory of the model. For half precision
        the sum is rounded once, from float32.
    """
    scales, factors = points.scales(signature), points.factors(signature, weights)
    moved = {}
    for name, parameter in parameters.items():
        delta = scaled(factors[name].dense(), scales[name], parameter)
        moved[name] = delta.add_(parameter.detach()).to(parameter.dtype)
    return moved
