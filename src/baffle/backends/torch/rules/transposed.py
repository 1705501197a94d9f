"""Transposed convolutions with a weight that differs by point.

A weight [I, O/G, *k] has its inputs on axis 0: W + σ out ⊗ inner ⊗ kernel. So `out` mixes each
group's input channels, a one-channel transposed convolution spreads the mixture by `kernel`, and
`inner` scales the output channels of every group. Where all points have the same input, the
one-channel results of all points are one transposed convolution with P output channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Low
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

Spread = Callable[..., Tensor]  # (x, weight, bias, groups=) at one geometry


def transposed_convolution(
    function: Callable[..., Tensor],
    run: Pass,
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the transposed convolution at every point; `function` is conv_transpose1d to 3d."""
    name, matrix = function.__name__, run.moved(weight)
    run.require_folded(name, input)
    if input.dim() != weight.dim():
        raise Unsupported(name, "an input without batch axis")
    if matrix is not None and matrix.low is None:
        raise Unsupported(name, "a weight computed from parameters")
    spread = partial(
        function,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
    )
    base, low = (matrix.base, matrix.low) if matrix else (weight, None)
    return _at_points(run, spread, input, base, low, bias, groups)


def _at_points(
    run: Pass,
    spread: Spread,
    x: Tensor,
    base: Tensor,
    low: Low | None,
    bias: Tensor | None,
    groups: int,
) -> Tensor:
    """Return the transposed convolution with the base weight, corrected at each point."""
    offset, rows = run.moved(bias), run.shared(x)
    x = x if rows is None else rows
    y = spread(x, base, None if offset else bias, groups=groups)
    out = y.view(run.points if rows is None else 1, -1, *y.shape[1:]).unflatten(2, (groups, -1))
    if low is not None:
        out = _corrected(spread, out, x, low, base.shape[2:], rows is not None)
    elif rows is not None:
        out = out.repeat(run.points, *[1] * (out.dim() - 1))
    if offset is not None:
        out.add_(_by_channel(offset.values.unflatten(1, (groups, -1)), out))
    return out.view(-1, *y.shape[1:])


def _corrected(
    spread: Spread, out: Tensor, x: Tensor, low: Low, kernel: Any, shared: bool
) -> Tensor:
    """Add the direction's part to out [P or 1, B, G, O/G, *out], in place unless it is shared."""
    one_channel = _one_channel_shared if shared else _one_channel
    image = one_channel(spread, x, low, out.shape[2], kernel)
    image = image.view(len(low.out), out.shape[1], out.shape[2], 1, *out.shape[4:])
    add = torch.addcmul if shared else Tensor.addcmul_
    return add(out, _by_channel(low.inner.unsqueeze(1), out), image)


def _by_channel(values: Tensor, out: Tensor) -> Tensor:
    """Shape values [P, G or 1, O/G] to stand beside [P or 1, B, G, O/G, *out]."""
    return values.reshape(len(values), 1, *values.shape[1:], *[1] * (out.dim() - 4))


def _one_channel(spread: Spread, x: Tensor, low: Low, groups: int, kernel: Any) -> Tensor:
    """Return each group's mixed channels spread by the point's kernel, as P·B·G images."""
    images, points = len(x) * groups, len(low.out)
    mix = low.out.view(points, 1, groups, -1).expand(-1, len(x) // points, -1, -1)
    mixed = torch.bmm(mix.reshape(images, 1, -1), x.reshape(images, x.shape[1] // groups, -1))
    filters = low.kernel.repeat_interleave(images // points, 0).view(images, 1, *kernel)
    return spread(mixed.view(1, images, *x.shape[2:]), filters, None, groups=images)


def _one_channel_shared(spread: Spread, rows: Tensor, low: Low, groups: int, kernel: Any) -> Tensor:
    """Return the same where all points have the same B rows, [P, B, G, *out]."""
    left = (low.out.unsqueeze(2) * low.kernel.unsqueeze(1)).transpose(0, 1)
    found = spread(rows, left.reshape(rows.shape[1], -1, *kernel), None, groups=groups)
    return found.unflatten(1, (groups, -1)).movedim(2, 0)


_FUNCTIONS = (
    functional.conv_transpose1d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
)
RULES = {function: partial(transposed_convolution, function) for function in _FUNCTIONS}
