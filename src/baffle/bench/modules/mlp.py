"""A plain multilayer perceptron: six linear layers of 768 to 768."""

from __future__ import annotations

from torch import nn


def mlp(width: int = 768, layers: int = 6) -> nn.Sequential:
    """Linear layers with a ReLU between them; the last one's outputs are the logits.

    Args:
        width: of the input, of every layer, and number of classes.
        layers: linear layers.

    Example:
        >>> sum(p.numel() for p in mlp().parameters())
        3543552
    """
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*parts[:-1])
