"""ResNet-20 for CIFAR-10, shortcuts without weights.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2, option A.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError

WIDTHS, BLOCKS = (16, 32, 64), 3


class Block(nn.Module):
    """Two 3×3 convolutions; the shortcut drops pixels and pads channels with zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = outputs // inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.more = (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(shortcut + residual)."""
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return functional.relu(y + x)


def resnet20(weights: Path | None = None) -> nn.Sequential:
    """Return ResNet-20 on 32×32 pixels: 269,722 parameters, 41 M multiply-adds an image.

    Args:
        weights: a checkpoint with a `state_dict` under the usual names; None for random ones.
            Only tensors are read from it.

    Raises:
        ModelError: its tensors are not this network's.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(16), relu=nn.ReLU()
    )
    before = 16
    for number, width in enumerate(WIDTHS, start=1):
        blocks = [Block(before if n == 0 else width, width) for n in range(BLOCKS)]
        layers[f"layer{number}"], before = nn.Sequential(*blocks), width
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(64, 10)
    model = nn.Sequential(layers)
    if weights is not None:
        _load(model, weights)
    return model.eval()


def _load(model: nn.Module, weights: Path) -> None:
    found = torch.load(weights, map_location="cpu", weights_only=True)["state_dict"]
    named = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    try:
        missing, unknown = model.load_state_dict(named, strict=False)
    except RuntimeError as error:
        raise ModelError(f"{weights}: expected the tensors of ResNet-20: {error}") from error
    if unknown or any("num_batches" not in name for name in missing):
        raise ModelError(
            f"{weights}: expected the tensors of ResNet-20, missing {missing}, unknown {unknown}"
        )
