"""Maximum over windows of pixels, by maxima of shifted images: along rows, then columns.

torch's own kernel for images in memory order channels – rows – columns goes pixel by pixel; the
maxima of whole images take a tenth of its time on a processor and are the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LARGEST = 4  # pixels a side of a window, above which the shifts cost more than they save


def max_pool2d(
    input: Tensor,  # noqa: A002
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return what functional.max_pool2d does."""
    window, step = _pair(kernel_size), _pair(kernel_size if stride in (None, [], ()) else stride)
    simple = not (any(_pair(padding)) or ceil_mode or return_indices) and _pair(dilation) == (1, 1)
    fits = input.dim() >= 3 and all(k <= n for k, n in zip(window, input.shape[-2:], strict=True))
    if not (simple and fits and max(window) <= LARGEST and input.device.type == "cpu"):
        options = (kernel_size, stride, padding, dilation, ceil_mode)
        pool = functional.max_pool2d_with_indices if return_indices else functional.max_pool2d
        return pool(input, *options)
    return _along(_along(input, -2, window[0], step[0]), -1, window[1], step[1])


def _along(x: Tensor, axis: int, window: int, step: int) -> Tensor:
    """Return the maximum over windows along one axis."""
    count = (x.shape[axis] - window) // step + 1
    found = _shifted(x, axis, 0, step, count)
    for shift in range(1, window):
        found = torch.maximum(found, _shifted(x, axis, shift, step, count))
    return found


def _shifted(x: Tensor, axis: int, shift: int, step: int, count: int) -> Tensor:
    part = slice(shift, shift + step * (count - 1) + 1, step)
    return x[..., part, :] if axis == -2 else x[..., part]


def _pair(sizes: Any) -> tuple[int, int]:
    if isinstance(sizes, (tuple, list)):
        return (sizes[0], sizes[-1])
    return (sizes, sizes)


FASTER = {functional.max_pool2d: max_pool2d, torch.max_pool2d: max_pool2d}
"""Operations on activations that go faster another way, to the same numbers."""
