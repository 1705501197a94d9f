"""Convolutions with a weight that differs by point.

W + σ out ⊗ inner ⊗ kernel: mix the input channels by `inner`, run a one-channel convolution with
`kernel`, scale by `out`. With groups, each group mixes its own channels. Where all points have the
same input, the one-channel results of all points are one convolution with P output channels.

A depthwise weight is all kernel, so that its correction would cost as much as the convolution
itself: there each channel of each image gets its own kernel, in one convolution. Where a pass has
one point or a weight is computed from parameters, each point has a convolution of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Low, Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


@dataclass(frozen=True)
class Geometry:
    """A convolution without its input, weight and bias."""

    function: Callable[..., Tensor]
    kernel: tuple[int, ...]
    groups: int
    options: dict[str, Any]

    @property
    def pointwise(self) -> bool:
        """Whether the kernel is one pixel, without padding."""
        padding = self.options["padding"]
        if not isinstance(padding, str):
            padding = padding if isinstance(padding, (tuple, list)) else (padding,)
        return math.prod(self.kernel) == 1 and (isinstance(padding, str) or not any(padding))

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        """Convolve, with these groups instead of its own."""
        return self.function(x, weight, bias, groups=groups, **self.options)


def convolution(
    function: Callable[..., Tensor],
    run: Pass,
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution at every point; `function` is conv1d, conv2d or conv3d."""
    name, matrix = function.__name__, run.moved(weight)
    run.require_folded(name, input)
    if input.dim() != weight.dim():
        raise Unsupported(name, "an input without batch axis")
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    geometry = Geometry(function, tuple(weight.shape[2:]), groups, options)
    if matrix is not None and groups > 1 and weight.shape[1] == 1:
        return _depthwise(run, geometry, run.real(input), matrix, bias)
    if matrix is not None and (run.points == 1 or matrix.low is None):
        return _in_turn(run, geometry, run.real(input), matrix, bias)
    if matrix is not None and run.plain and groups == 1 and _few(run, input, weight):
        return _own_filters(run, geometry, input, matrix, bias)
    base, low = (matrix.base, matrix.low) if matrix else (weight, None)
    return _at_points(run, geometry, input, base, low, bias)


def _depthwise(
    run: Pass, geometry: Geometry, x: Tensor, matrix: Moved, bias: Tensor | None
) -> Tensor:
    """Return the depthwise convolution, for which each image's channels are groups of their own."""
    images, channels = x.shape[:2]
    each, outputs = images // run.points, len(matrix.base)
    filters = matrix.values.unsqueeze(1).expand(-1, each, *matrix.base.shape)
    offset = run.moved(bias)
    if bias is not None:
        values = offset.values if offset else bias.expand(run.points, -1)
        bias = values.unsqueeze(1).expand(-1, each, -1).reshape(-1)
    flat = x.reshape(1, images * channels, *x.shape[2:])
    filters = filters.reshape(images * outputs, *matrix.base.shape[1:])
    found = geometry(flat, filters, bias, images * channels)
    return found.view(images, outputs, *found.shape[2:])


def _few(run: Pass, x: Tensor, weight: Tensor) -> bool:
    """Say whether all points see the same rows, and filters of their own would be small beside."""
    rows = run.shared(x)
    return rows is not None and run.points * weight.numel() <= rows.numel()


def _own_filters(
    run: Pass, geometry: Geometry, x: Tensor, matrix: Moved, bias: Tensor | None
) -> Tensor:
    """Return the convolution of rows that all points share, with every point's own filters.

    A runtime's convolution adds a bias in passing, where a correction has to read and write each
    output once more; torch's is the slower for so many filters.
    """
    rows = run.shared(x)
    assert rows is not None
    offset = run.moved(bias)
    if bias is not None:
        bias = offset.values.flatten() if offset else bias.repeat(run.points)
    found = geometry(rows, matrix.values.flatten(0, 1), bias, 1)
    return found.unflatten(1, (run.points, -1)).transpose(0, 1).flatten(0, 1)


def _in_turn(
    run: Pass, geometry: Geometry, x: Tensor, matrix: Moved, bias: Tensor | None
) -> Tensor:
    """Return the convolution point after point, each with its own weight."""
    offset, found = run.moved(bias), []
    for point, rows in enumerate(x.chunk(run.points)):
        own = offset.values[point] if offset else bias
        found.append(geometry(rows, matrix.at(point), own, geometry.groups))
    return found[0] if len(found) == 1 else torch.cat(found)


def _at_points(
    run: Pass, geometry: Geometry, x: Tensor, base: Tensor, low: Low | None, bias: Tensor | None
) -> Tensor:
    """Return the convolution with the base weight, corrected at each point."""
    offset, rows = run.moved(bias), run.shared(x)
    x = x if rows is None else rows
    y = geometry(x, base, None if offset else bias, geometry.groups)
    if offset is not None and low is not None and rows is None and geometry.groups == 1:
        image = run.split(_one_channel(geometry, x, low)).unsqueeze(3)
        return _add_both(y, image, low.out, offset.values)
    shared = rows is not None
    out = corrected(run, geometry, x, y, low, shared) if low else _apart(run, geometry, y, shared)
    if low is None and shared:
        out = out.repeat(run.points, *[1] * (out.dim() - 1))
    if offset is not None:
        out.add_(_by_channel(offset.values, out))
    return out.reshape(-1, *y.shape[1:]) if shared else y


def corrected(
    run: Pass, geometry: Geometry, x: Tensor, y: Tensor, low: Low, shared: bool
) -> Tensor:
    """Add out ⊗ image to a fresh y of the base weight; returns [P, B, G, O/G, *out].

    Args:
        run, geometry: of the convolution.
        x: its input, [P·B, ...], or [B, ...] where all points share it.
        y: its output for x; written to unless shared.
        low: factors.
        shared: whether all points share x.
    """
    out = _apart(run, geometry, y, shared)
    image = (_one_channel_shared if shared else _one_channel)(geometry, x, low)
    add = torch.addcmul if shared else Tensor.addcmul_
    return add(out, _by_channel(low.out, out), run.split(image).unsqueeze(3))


def _apart(run: Pass, geometry: Geometry, y: Tensor, shared: bool) -> Tensor:
    """View an output as [P or 1, B, G, O/G, *out]."""
    out = y.view(1 if shared else run.points, -1, *y.shape[1:])
    return out.unflatten(2, (geometry.groups, -1))


def _add_both(y: Tensor, image: Tensor, out: Tensor, bias: Tensor) -> Tensor:
    """Add out ⊗ image and the bias to a fresh y [P·B, O, ...] in one sweep over it."""
    if not y.is_contiguous():
        y = y.contiguous()
    flat = image.reshape(len(y), 1, -1)
    left = torch.stack((out, bias), dim=2).repeat_interleave(len(y) // len(out), 0)
    right = torch.cat((flat, torch.ones_like(flat)), dim=1)
    y.view(*y.shape[:2], -1).baddbmm_(left, right)
    return y


def _by_channel(values: Tensor, out: Tensor) -> Tensor:
    """Shape values [P, O] to stand beside an output [P or 1, B, G, O/G, *out]."""
    return values.view(len(values), 1, *out.shape[2:4], *[1] * (out.dim() - 4))


def _one_channel(geometry: Geometry, x: Tensor, low: Low) -> Tensor:
    """Return each group's mixed channels after the point's kernel; [P·B, G, *out]."""
    pointwise = geometry.pointwise
    images, groups = len(x) * geometry.groups, geometry.groups
    each = images // len(low.inner)
    inner = low.inner * low.kernel if pointwise else low.inner
    mix = inner.repeat_interleave(each, 0).unsqueeze(1)
    mixed = torch.bmm(mix, x.reshape(images, x.shape[1] // groups, -1))
    if pointwise:  # one channel of it is fewer to pick from than all that were mixed
        return _strided(mixed.view(len(x), groups, *x.shape[2:]), geometry.options["stride"])
    filters = low.kernel.repeat_interleave(each, 0).view(images, 1, *geometry.kernel)
    found = geometry(mixed.view(1, images, *x.shape[2:]), filters, None, images)
    return found.view(len(x), groups, *found.shape[2:])


def _strided(x: Tensor, stride: Any) -> Tensor:
    """Return the pixels that a kernel of one pixel sees."""
    axes = x.dim() - 2
    steps = (stride,) * axes if isinstance(stride, int) else (tuple(stride) * axes)[:axes]
    picked: tuple[Any, ...] = (..., *(slice(None, None, step) for step in steps))
    return x[picked]


def _one_channel_shared(geometry: Geometry, rows: Tensor, low: Low) -> Tensor:
    """Return the same where all points have the same B rows; [P·B, G, *out]."""
    points, groups = len(low.inner), geometry.groups
    filters = low.right.view(points, -1, *geometry.kernel)
    filters = filters.repeat(groups, *[1] * (filters.dim() - 1))
    found = geometry(rows, filters, None, groups)
    split = found.unflatten(1, (groups, points)).movedim(2, 0)
    return split.reshape(points * len(rows), groups, *found.shape[2:])


_FUNCTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
RULES = {function: partial(convolution, function) for function in _FUNCTIONS}
