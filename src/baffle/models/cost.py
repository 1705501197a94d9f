"""What one row costs: parameters and multiply-adds, counted by running the model once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Args:
        parameters: trainable numbers.
        multiply_adds: of convolutions and linear layers, for one row, forward; everything else is
            small beside them and is not counted, nor are biases.
    """

    parameters: int
    multiply_adds: int


def count(model: nn.Module, in_shape: tuple[int, ...]) -> Cost:
    """The cost of a model's forward pass on one row.

    Args:
        model: whose convolutions (Conv1d, Conv2d, Conv3d) and linear layers are called as modules.
        in_shape: shape of one row.

    Returns:
        Parameters, and multiply-adds a row.

    Example:
        >>> count(nn.Linear(64, 10), (64,))
        Cost(parameters=650, multiply_adds=640)
    """
    products: list[int] = []

    def record(layer: Any, _: Any, out: Tensor) -> None:
        # Each output number is a sum over one output unit's weights.
        products.append(out.numel() * layer.weight[0].numel())

    counted = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [layer for layer in model.modules() if isinstance(layer, counted)]
    handles = [layer.register_forward_hook(record) for layer in layers]
    try:
        _run(model, in_shape)
    finally:
        for handle in handles:
            handle.remove()
    trainable = (p.numel() for p in model.parameters() if p.requires_grad)
    return Cost(sum(trainable), sum(products))


def _run(model: nn.Module, in_shape: tuple[int, ...]) -> None:
    """One forward pass in eval mode, so that no running statistics move."""
    modes = [(module, module.training) for module in model.modules()]
    like = next(model.parameters())
    model.eval()
    try:
        with torch.no_grad():
            model(torch.zeros((1, *in_shape), dtype=like.dtype, device=like.device))
    finally:
        for module, training in modes:
            module.training = training
