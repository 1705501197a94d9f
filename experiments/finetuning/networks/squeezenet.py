"""SqueezeNet 1.0.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and < 0.5 MB model
size", 2016, table 1; the weights are those of its compressed form, two thirds of them zero.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
POOLED = (4, 8)  # fires that a pooling follows


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1×1 and 3×3 kernels."""

    def __init__(self, inputs: int, few: int, each: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, few, 1)
        self.expand1x1 = nn.Conv2d(few, each, 1)
        self.expand3x3 = nn.Conv2d(few, each, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return both expansions, one behind the other."""
        x = functional.relu(self.squeeze(x))
        both = functional.relu(self.expand1x1(x)), functional.relu(self.expand3x3(x))
        return torch.cat(both, dim=1)


def squeezenet(classes: int, weights: Path | None = None) -> nn.Sequential:
    """Return SqueezeNet 1.0 with a new, zero head on its pooled last fire.

    Args:
        classes: of the head.
        weights: safetensors under the usual names; None for random ones.

    Returns:
        The network for images BGR 0 … 255 less (104, 117, 123), 0.74 M parameters before the head.

    Raises:
        ModelError: the file's tensors are not this network's.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, 96, 7, 2), act1=nn.ReLU(), pool1=_pool()
    )
    before = 96
    for number, (few, each) in enumerate(FIRES, start=2):
        layers[f"fire{number}"], before = Fire(before, few, each), 2 * each
        if number in POOLED:
            layers[f"pool{number}"] = _pool()
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["head"] = nn.Linear(before, classes)
    model = nn.Sequential(layers)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    if weights is not None:
        _load(model, weights)
    return model.eval()


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def _load(model: nn.Module, weights: Path) -> None:
    found = load_file(weights)
    for name, parameter in model.named_parameters():
        if name.startswith("head."):
            continue
        if name not in found or found[name].shape != parameter.shape:
            raise ModelError(f"{weights}: expected {name} of shape {tuple(parameter.shape)}")
        parameter.data.copy_(found[name])
