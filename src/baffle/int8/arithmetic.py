"""What a deployed int8 kernel computes, as operations that a pass sees and an export translates.

A trained tensor u holds a weight in units of 128 steps; the kernel's weight is the whole number
floor(128 u + 1/2), and a ±1 direction with radius 2^-7 moves each by exactly one step. The updates
keep |u| ≤ 126/128 (docs/protocol.md), so that a moved weight still is an int8.

    y = Σ (x - zero) w        x of 0 to 255, w of -127 to 127, summed as whole numbers

Here sums are taken in float32, which holds every whole number up to 2^24: a kernel's sum of 32 bits
is the same as long as it stays below that, and else differs by a unit in the last of 24 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.updates.grid import LARGEST, STEP_EXPONENT

Axes = tuple[int | None, ...]  # of what is mapped, one an argument
PER_UNIT = float(2**-STEP_EXPONENT)  # steps


@torch.library.custom_op("baffle::int8_steps", mutates_args=())
def steps(u: Tensor) -> Tensor:
    """Return the whole numbers that stand for u: floor(128 u + 1/2), in float32."""
    return torch.floor(u * PER_UNIT + 0.5)


@torch.library.custom_op("baffle::int8_quantise", mutates_args=())
def quantise(x: Tensor, scale: Tensor, zero: int) -> Tensor:
    """Return activations as 0 to 255: x/scale, ties to even, plus zero; uint8.

    Args:
        x: float32.
        scale: of a step, float32 [].
        zero: what stands for 0.
    """
    return torch.clamp(torch.round(x / scale) + zero, 0, 255).to(torch.uint8)


@torch.library.custom_op("baffle::int8_linear", mutates_args=())
def linear(x: Tensor, weight: Tensor, zero: int) -> Tensor:
    """Return Σ_i (x_i - zero) w_oi, float32 [..., O].

    Args:
        x: uint8 [..., I].
        weight: whole numbers in float32 [O, I].
        zero: what stands for 0.
    """
    return functional.linear(centred(x, zero), weight)


@torch.library.custom_op("baffle::int8_conv2d", mutates_args=())
def conv2d(
    x: Tensor,
    weight: Tensor,
    zero: int,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """Return the convolution of x - zero, float32 [B, O, H, W]; what is padded stands for 0.

    Args:
        x: uint8 [B, I, H, W].
        weight: whole numbers in float32 [O, I / groups, h, w].
        zero: what stands for 0.
        stride, padding, dilation: two numbers each.
        groups: of channels.
    """
    return functional.conv2d(centred(x, zero), weight, None, stride, padding, dilation, groups)


def centred(x: Tensor, zero: int) -> Tensor:
    """Return x - zero in float32."""
    return x.to(torch.float32) - zero


# The same functions on shapes alone, which whoever traces a pass asks for.
steps.register_fake(torch.empty_like)
quantise.register_fake(lambda x, scale, zero: torch.empty_like(x, dtype=torch.uint8))
linear.register_fake(lambda x, weight, zero: functional.linear(centred(x, zero), weight))
conv2d.register_fake(
    lambda x, weight, zero, stride, padding, dilation, groups: functional.conv2d(
        centred(x, zero), weight, None, stride, padding, dilation, groups
    )
)


# And under torch.vmap, which a pass asks what carries the examples.
def _each(
    function: Callable[..., Tensor], info: Any, axes: Axes, *given: Any
) -> tuple[Tensor, int]:
    """Call a function for one of the mapped after another."""
    several = []
    for number in range(info.batch_size):
        own = [
            x.select(axis, number) if isinstance(axis, int) else x
            for x, axis in zip(given, axes, strict=True)
        ]
        several.append(function(*own))
    return torch.stack(several), 0


def _linear_mapped(info: Any, axes: Axes, *given: Any) -> tuple[Tensor, int]:
    if axes[1] is not None:
        return _each(linear, info, axes, *given)
    return linear(given[0].movedim(axes[0], 0), *given[1:]), 0


def _conv2d_mapped(info: Any, axes: Axes, *given: Any) -> tuple[Tensor, int]:
    if axes[1] is not None:
        return _each(conv2d, info, axes, *given)
    rows = given[0].movedim(axes[0], 0)
    found = conv2d(rows.flatten(0, 1), *given[1:])
    return found.unflatten(0, rows.shape[:2]), 0


steps.register_vmap(lambda info, axes, u: (steps(u), axes[0]))
quantise.register_vmap(lambda info, axes, x, *grid: (quantise(x, *grid), axes[0]))
linear.register_vmap(_linear_mapped)
conv2d.register_vmap(_conv2d_mapped)

__all__ = [
    "LARGEST",
    "PER_UNIT",
    "STEP_EXPONENT",
    "centred",
    "conv2d",
    "linear",
    "quantise",
    "steps",
]
