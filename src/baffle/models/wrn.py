"""Wide residual networks, WRN-10-2 of the BAFFLE paper among them."""

from __future__ import annotations

import itertools
from collections import OrderedDict

from torch import Tensor, nn

from baffle.errors import ModelError
from baffle.models.layers import activation as activation_layer
from baffle.models.layers import image_shape
from baffle.models.layers import norm as norm_layer


class Block(nn.Module):
    """A pre-activation block: norm – act – conv 3×3 – norm – act – conv 3×3, plus the shortcut.

    Where shape changes, the shortcut is norm – act – conv 1×1. Norm and activation have no weights,
    so the shortcut's are the same function as the first of the main path, and are computed once.

    Args:
        channels: of the input.
        width: channels of the output.
        stride: of the first convolution and of the shortcut.
        norm: as in `wrn`.
        activation: as in `wrn`.

    Example:
        >>> sum(p.numel() for p in Block(16, 32, 1, "group", "hardswish").parameters())
        14336
    """

    def __init__(self, channels: int, width: int, stride: int, norm: str, activation: str) -> None:
        super().__init__()
        self.norm1 = norm_layer(norm, channels)
        self.act1 = activation_layer(activation)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm2 = norm_layer(norm, width)
        self.act2 = activation_layer(activation)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        same = channels == width and stride == 1
        self.shortcut = None if same else nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, height, width) to (n, width, height / stride, width / stride)."""
        active = self.act1(self.norm1(x))
        carried = x if self.shortcut is None else self.shortcut(active)
        return self.conv2(self.act2(self.norm2(self.conv1(active)))) + carried


def wrn(
    in_shape: tuple[int, ...],
    classes: int,
    *,
    depth: int = 10,
    widen: int = 2,
    norm: str = "group",
    activation: str = "hardswish",
) -> nn.Sequential:
    """Conv 3×3 – three stages of blocks – norm – act – global average – linear.

    302,506 parameters for (1, 32, 32) and 10 classes, 302,794 for (3, 32, 32), 314,404 with 100
    classes.

    Args:
        in_shape: (channels, height, width), 4 pixels a side or more.
        classes: number of outputs.
        depth: convolutions on the main path and the linear layer: 6 · blocks a stage + 4.
        widen: factor on the stages' widths 16, 32, 64.
        norm: "none", or "group" (without weights).
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: rows that are not images, a depth that makes no whole blocks, or an unknown norm
            or activation.

    Example:
        >>> sum(p.numel() for p in wrn((1, 32, 32), 10).parameters())
        302506
    """
    channels, _, _ = image_shape("wrn", in_shape, least=4)
    if depth < 10 or (depth - 4) % 6 or widen < 1:
        raise ModelError(
            f"wrn: expected a depth of 10, 16, 22, … and widen of 1 or more, got depth={depth} and "
            f"widen={widen}."
        )
    widths = [16, 16 * widen, 32 * widen, 64 * widen]
    stages = [
        _stage(before, after, stride, (depth - 4) // 6, norm, activation)
        for (before, after), stride in zip(itertools.pairwise(widths), (1, 2, 2), strict=True)
    ]
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(channels, 16, 3, padding=1),
            stage1=stages[0],
            stage2=stages[1],
            stage3=stages[2],
            norm=norm_layer(norm, widths[-1]),
            act=activation_layer(activation),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(widths[-1], classes),
        )
    )


def _stage(
    channels: int, width: int, stride: int, blocks: int, norm: str, activation: str
) -> nn.Sequential:
    first = Block(channels, width, stride, norm, activation)
    rest = (Block(width, width, 1, norm, activation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)
