"""Convolutions with a weight that differs by point.

W + σ out ⊗ inner ⊗ kernel: mix the input channels by `inner`, run a one-channel convolution with
`kernel`, scale by `out`. With groups, each group mixes its own channels. Where all points have the
same input, the one-channel results of all points are one convolution with P output channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from baffle.backends.torch.moved import Low, Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

_SMALL_IMAGE = 8  # below so many output pixels a batched product costs more than it saves


@dataclass(frozen=True)
class Geometry:
    """A convolution function with all but its input, weight, bias and groups."""

    function: Callable[..., Tensor]
    kernel: tuple[int, ...]
    groups: int
    options: dict[str, Any]

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        return self.function(x, weight, bias, groups=groups, **self.options)


def convolution(
    conv: Callable[..., Tensor], run: Pass, input: Tensor, weight: Tensor, bias: Tensor | None = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Return the convolution at every point; `conv` is F.conv1d, F.conv2d or F.conv3d."""
    run.require_folded(conv.__name__, input)
    matrix, offset = run.moved(weight) or Moved(weight), run.moved(bias)
    if input.dim() != weight.dim():
        raise Unsupported(conv.__name__, "an input without batch axis")
    if matrix.dense is not None:
        raise Unsupported(conv.__name__, "a weight computed from parameters")
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    geometry = Geometry(conv, tuple(weight.shape[2:]), groups, options)
    rows = run.shared(input)
    y = geometry(input if rows is None else rows, weight, None if offset else bias, groups)
    image = None
    if matrix.low is not None and rows is None:
        image = _one_channel(geometry, input, matrix.low)
    elif matrix.low is not None:
        image = _one_channel_shared(geometry, rows, matrix.low)
    if rows is not None:
        y = y.repeat(run.points, *[1] * (y.dim() - 1))
    return _corrected(run, y, image, matrix.low, offset.values if offset else None)


def _one_channel(geometry: Geometry, x: Tensor, low: Low) -> Tensor:
    """Return each group's mixed channels after the point's kernel; [P·B, G, *out]."""
    images, groups = len(x) * geometry.groups, geometry.groups
    each = images // len(low.inner)
    mix = low.inner.repeat_interleave(each, 0).unsqueeze(1)
    mixed = torch.bmm(mix, x.reshape(images, x.shape[1] // groups, -1))
    filters = low.kernel.repeat_interleave(each, 0).view(images, 1, *geometry.kernel)
    found = geometry(mixed.view(1, images, *x.shape[2:]), filters, None, images)
    return found.view(len(x), groups, *found.shape[2:])


def _one_channel_shared(geometry: Geometry, rows: Tensor, low: Low) -> Tensor:
    """Return the same where all points have the same B rows; [P·B, G, *out]."""
    points, groups = len(low.inner), geometry.groups
    filters = low.right.view(points, -1, *geometry.kernel)
    filters = filters.repeat(groups, *[1] * (filters.dim() - 1))
    found = geometry(rows, filters, None, groups)
    split = found.view(len(rows), groups, points, *found.shape[2:]).movedim(2, 0)
    return split.reshape(points * len(rows), groups, *found.shape[2:])


def _corrected(
    run: Pass, y: Tensor, image: Tensor | None, low: Low | None, offset: Tensor | None
) -> Tensor:
    """Add out_p ⊗ image (+ offset_p by channel) to the fresh output y [P·B, O, *out] in place."""
    spatial = y.shape[2:]
    if image is None or low is None:
        if offset is not None:
            run.split(y).add_(offset.view(run.points, 1, -1, *[1] * len(spatial)))
        return y
    if y.is_contiguous() and spatial.numel() >= _SMALL_IMAGE:
        _add_product(run, y, image, low.out, offset)
        return y
    groups = image.shape[1]
    out = run.split(y).unflatten(2, (groups, -1))
    ones = [1] * len(spatial)
    out.addcmul_(low.out.view(run.points, 1, groups, -1, *ones), run.split(image).unsqueeze(3))
    if offset is not None:
        out.add_(offset.view(run.points, 1, groups, -1, *ones))
    return y


def _add_product(run: Pass, y: Tensor, image: Tensor, scale: Tensor, offset: Tensor | None) -> None:
    """Do so by one batched product of inner size one or two: [out, offset] [image; 1]."""
    images = image.shape[0] * image.shape[1]
    left, right = scale.unsqueeze(2), image.reshape(images, 1, -1)
    if offset is not None:
        left = torch.stack((scale, offset), dim=2)
        right = torch.cat((right, torch.ones_like(right)), dim=1)
    left = left.repeat_interleave(y.shape[0] // run.points, 0).view(images, -1, left.shape[2])
    y.view(images, left.shape[1], -1).baddbmm_(left, right)


RULES = {conv: partial(convolution, conv) for conv in (F.conv1d, F.conv2d, F.conv3d)}
