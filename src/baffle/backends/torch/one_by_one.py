"""The slow truth: one perturbed copy of the weights at a time. Right for every module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from baffle.backends.torch.examples import arguments, cloned
from baffle.backends.torch.losses import Loss, one_loss


def output_at(module: nn.Module, weights: Mapping[str, Tensor], inputs: Any) -> Any:
    """Return the module's output with these weights in place of its own."""
    args, kwargs = arguments(cloned(inputs))
    return functional_call(module, dict(weights), args, kwargs)


def losses_one_by_one(
    module: nn.Module, moved: Mapping[str, Tensor], batch: tuple[Any, Any], loss: Loss
) -> Tensor:
    """Return the losses [P] at P perturbed copies, one forward pass each.

    Args:
        module: in eval mode.
        moved: weights [P, *shape] by name.
        batch: (inputs, targets).
        loss: (output, target) to the scalar mean.

    Raises:
        ProbeError: the loss is not a scalar tensor of float32 or float64.
    """
    inputs, targets = batch
    points = len(next(iter(moved.values())))
    found = []
    for p in range(points):
        output = output_at(module, {name: w[p] for name, w in moved.items()}, inputs)
        found.append(one_loss(loss, output, targets))
    return torch.stack(found)
