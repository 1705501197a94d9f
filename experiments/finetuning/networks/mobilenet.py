"""MobileNetV2 with its batch norm folded into the convolutions, padded as TensorFlow does.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError

# (factor of expansion, channels, blocks, stride of the first), table 2
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LAST = 1280


class Same(nn.Module):
    """A convolution that pads as TensorFlow's SAME does: an odd pixel goes to bottom and right."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of the padded image."""
        if self.kernel == 1:
            return self.conv(x)
        (top, bottom), (left, right) = (self._around(size) for size in x.shape[2:])
        return self.conv(functional.pad(x, (left, right, top, bottom)))

    def _around(self, size: int) -> tuple[int, int]:
        wanted = (-(-size // self.stride) - 1) * self.stride + self.kernel
        more = max(wanted - size, 0)
        return more // 2, more - more // 2


class Inverted(nn.Module):
    """Widen, filter each channel, narrow; with a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, factor: int, stride: int) -> None:
        super().__init__()
        wide = inputs * factor
        parts: list[nn.Module] = []
        if factor > 1:
            parts += [Same(inputs, wide, 1), nn.ReLU6()]
        parts += [Same(wide, wide, 3, stride, groups=wide), nn.ReLU6(), Same(wide, outputs, 1)]
        self.parts = nn.Sequential(*parts)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.parts(x)
        return x + y if self.shortcut else y


def mobilenet(classes: int, weights: Path | None = None) -> nn.Sequential:
    """Return MobileNetV2 with a new, zero head; 2.2 M parameters before it.

    Args:
        classes: of the head.
        weights: safetensors with conv0 … conv51, weight and bias each; None for random ones.

    Returns:
        The network for images (RGB − 127) / 127.5, whose head starts at zero.

    Raises:
        ModelError: the file's tensors are not this network's.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=Same(3, 32, 3, 2), act0=nn.ReLU6())
    before = 32
    for stage, (factor, width, blocks, stride) in enumerate(STAGES):
        for block in range(blocks):
            step = stride if block == 0 else 1
            layers[f"stage{stage}_{block}"] = Inverted(before, width, factor, step)
            before = width
    layers["last"], layers["act1"] = Same(before, LAST, 1), nn.ReLU6()
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["head"] = nn.Linear(LAST, classes)
    model = nn.Sequential(layers)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    if weights is not None:
        _load(model, weights)
    return model.eval()


def _load(model: nn.Module, weights: Path) -> None:
    found = load_file(weights)
    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    for number, part in enumerate(convolutions):
        for role, parameter in part.named_parameters():
            name = f"conv{number}.{role}"
            if name not in found or found[name].shape != parameter.shape:
                raise ModelError(f"{weights}: expected {name} of shape {tuple(parameter.shape)}")
            parameter.data.copy_(found[name])
