"""Two families of models, from 10^4 weights to 10^8."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

LAYERS = 8
SIDE = 32
WIDTHS = {"mlp": {4: 35, 5: 112, 6: 354, 7: 1118, 8: 3536}, "conv": {4: 12, 5: 40, 6: 126, 7: 398}}


def mlp(width: int) -> nn.Module:
    """Eight square layers: all weights, few activations."""
    layers: list[nn.Module] = []
    for _ in range(LAYERS):
        layers += [nn.Linear(width, width), nn.Hardswish()]
    return nn.Sequential(*layers[:-1])


def conv(width: int) -> nn.Module:
    """Eight 3×3 convolutions on 32×32 images: few weights, many activations."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.Hardswish()]
    for _ in range(LAYERS - 1):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.Hardswish()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


FAMILIES: dict[str, Callable[[int], nn.Module]] = {"mlp": mlp, "conv": conv}


def __getattr__(name: str) -> Callable[[], nn.Module]:
    """Make what `mlp_6` or `conv_4` name: the family at about 10^6 or 10^4 weights."""
    family, _, exponent = name.partition("_")
    if family not in FAMILIES or not exponent.isdigit():
        raise AttributeError(name)
    return partial(FAMILIES[family], WIDTHS[family][int(exponent)])
