"""Dense directions: P perturbed copies of the weights, one forward pass mapped over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from baffle.backends.torch.examples import cloned
from baffle.backends.torch.losses import PointLosses
from baffle.backends.torch.one_by_one import output_at


def losses_vmapped(
    module: nn.Module, moved: Mapping[str, Tensor], batch: tuple[Any, Any], loss: PointLosses
) -> Tensor:
    """Return the losses [P] at P perturbed copies by one mapped pass; memory grows with P.

    Args:
        module: in eval mode.
        moved: weights [P, *shape] by name.
        batch: (inputs, targets); the module gets a copy of the inputs.
        loss: the user's loss over points.

    Raises:
        ProbeError: the loss is not a scalar tensor. What torch.vmap cannot map, it raises.
    """
    inputs, targets = batch
    inputs = cloned(inputs)
    outputs = torch.vmap(lambda w: output_at(module, w, inputs), randomness="same")(dict(moved))
    return loss(outputs, targets, len(next(iter(moved.values()))))
