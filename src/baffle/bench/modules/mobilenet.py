"""MobileNetV2 as published (Sandler et al. 2018), width 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Expansion, channels, blocks, stride of the first: table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def convolution(
    channels: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Return a convolution that keeps the size at stride 1, and its BatchNorm."""
    made = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [made, nn.BatchNorm2d(width)]


class InvertedResidual(nn.Module):
    """Expand by 1×1, one 3×3 a channel, project by 1×1 without activation; added to the input."""

    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = channels * expansion
        parts = [*convolution(channels, inside), nn.ReLU6()] if expansion > 1 else []
        parts += [*convolution(inside, inside, 3, stride, groups=inside), nn.ReLU6()]
        self.path = nn.Sequential(*parts, *convolution(inside, width))
        self.residual = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to (n, width, height / stride, width / stride)."""
        return x + self.path(x) if self.residual else self.path(x)


def mobilenet_v2(classes: int = 1000) -> nn.Sequential:
    """Return MobileNetV2 with its usual initial weights (He, by fan-out).

    Running statistics are those of a few random images: with mean 0 and variance 1 the activations
    of the untrained network would vanish.

    Example:
        >>> sum(p.numel() for p in mobilenet_v2().parameters())
        3504872
    """
    parts: list[nn.Module] = [*convolution(3, 32, 3, stride=2), nn.ReLU6()]
    channels = 32
    for expansion, width, blocks, stride in STAGES:
        for number in range(blocks):
            step = 1 if number else stride
            parts.append(InvertedResidual(channels, width, step, expansion))
            channels = width
    parts += [*convolution(channels, 1280), nn.ReLU6()]
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes)]
    model = nn.Sequential(*parts)
    _initialise(model)
    _settle(model)
    return model


def _initialise(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)


def _settle(model: nn.Module) -> None:
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 96, 96))
    for norm in norms:
        norm.momentum = 0.1
