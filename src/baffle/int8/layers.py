"""Layers whose products are those of int8 kernels.

    y = scale_o Σ_i (x_i - zero) w_oi + bias_o        scale_o = (input's step) · (weight's step)_o

The trained tensors are `int8` (see arithmetic.py) and the bias, or `gain` and the bias where the
weights stay: then the scale is scale_o (1 + gain_o). What was frozen is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baffle.int8 import arithmetic
from baffle.int8.arithmetic import LARGEST, PER_UNIT

UNSIGNED = 255


@dataclass(frozen=True)
class Range:
    """The range of a layer's input, as seen on some examples."""

    low: float
    high: float

    @property
    def grid(self) -> tuple[float, int]:
        """The step of 256 that cover the range and 0, and what stands for 0."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        step = (high - low) / UNSIGNED or 1.0
        return step, round(-low / step)


class _Int8(nn.Module):
    """What both kinds of layer hold."""

    step: Tensor
    scale: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor | None, seen: Range, gains: bool, room: float
    ) -> None:
        super().__init__()
        rows = weight.detach().to(torch.float32).flatten(1)
        most = rows.abs().amax(dim=1)
        size = torch.where(most > 0, most, torch.ones_like(most)) * room / LARGEST
        whole = torch.round(rows / size[:, None])  # within ±LARGEST: a moved weight is an int8 too
        step, self.zero = seen.grid
        trained = weight.requires_grad
        units = (whole / PER_UNIT).view_as(weight)
        self.int8 = nn.Parameter(units, requires_grad=trained and not gains)
        self.register_buffer("step", torch.tensor(step, dtype=torch.float32))
        self.register_buffer("scale", size * step)
        self.gain = nn.Parameter(torch.zeros_like(size)) if gains and trained else None
        own = torch.zeros_like(size) if bias is None else bias.detach().to(torch.float32).clone()
        self.bias = nn.Parameter(own, trained if bias is None else bias.requires_grad)

    def _whole(self, x: Tensor) -> Tensor:
        found: Tensor = arithmetic.quantise(x, self.step, self.zero)
        return found

    def _real(self, sums: Tensor, axes: tuple[int, ...]) -> Tensor:
        """Return the layer's output; the tensors of one number a channel stand along `axes`."""
        scaled = sums * self.scale.view(axes)
        if self.gain is not None:
            scaled = scaled + scaled * self.gain.view(axes)
        return scaled + self.bias.view(axes)


class Int8Linear(_Int8):
    """A linear layer on its grid.

    Args:
        layer: the float layer.
        seen: range of its input.
        gains: whether gains are trained in place of the weights.
        room: how far the grid reaches, in units of each channel's largest weight; at least 1.

    Example:
        >>> layer = Int8Linear(nn.Linear(4, 2), Range(-1.0, 1.0))
        >>> layer(torch.rand(3, 4)).shape
        torch.Size([3, 2])
    """

    def __init__(
        self, layer: nn.Linear, seen: Range, gains: bool = False, room: float = 1.0
    ) -> None:
        super().__init__(layer.weight, layer.bias, seen, gains, room)

    def forward(self, x: Tensor) -> Tensor:
        """Return y for x [..., I]."""
        sums = arithmetic.linear(self._whole(x), arithmetic.steps(self.int8), self.zero)
        return self._real(sums, (-1,))


class Int8Conv2d(_Int8):
    """A convolution on its grid; the arguments are as for `Int8Linear`.

    Raises:
        ValueError: padding by anything but zeros.
    """

    def __init__(
        self, layer: nn.Conv2d, seen: Range, gains: bool = False, room: float = 1.0
    ) -> None:
        super().__init__(layer.weight, layer.bias, seen, gains, room)
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            raise ValueError(f"expected padding by numbers of zeros, got {layer}")
        self.geometry = (
            list(layer.stride), list(layer.padding), list(layer.dilation), layer.groups
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return y for x [B, I, H, W]."""
        weight = arithmetic.steps(self.int8)
        sums = arithmetic.conv2d(self._whole(x), weight, self.zero, *self.geometry)
        return self._real(sums, (1, -1, 1, 1))
