"""Products of int8 kernels with weights that differ by point.

A rank-one direction moves weights by whole steps, so that the kernel's own product, with the
weights that all points share, needs a correction of whole numbers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.nn import functional

from baffle.backends.torch.moved import Low, Moved
from baffle.backends.torch.rules import convolution, matrix
from baffle.backends.torch.rules.rows import examples_first
from baffle.backends.torch.unsupported import Unsupported
from baffle.int8 import arithmetic
from baffle.int8.arithmetic import PER_UNIT, centred

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

STEPS = torch.ops.baffle.int8_steps.default
LINEAR = torch.ops.baffle.int8_linear.default
CONV2D = torch.ops.baffle.int8_conv2d.default


def steps(run: Pass, u: Tensor) -> Tensor:
    """Return the whole numbers of a weight at every point: its own, plus whole moves."""
    moved = run.moved(u)
    if moved is None or moved.low is None:
        return run.by_point(STEPS, (u,), {})
    low = moved.low
    out = low.out * PER_UNIT
    traced = get_proxy_mode() is not None  # then there are no numbers yet
    if not traced and not bool((out == out.round()).all()):
        raise Unsupported("int8_steps", "a radius that is no whole number of steps")
    return run.keep(Moved(arithmetic.steps(moved.base), Low(out, low.inner, low.kernel)))


@examples_first
def linear(run: Pass, x: Tensor, weight: Tensor, zero: int) -> Tensor:
    """Return Σ (x - zero) w at every point."""
    base, low = _moved(run, "int8_linear", x, weight)
    rows = run.shared(x)
    own = x if rows is None else rows
    points = run.points if rows is None else 1
    flat = own.reshape(points, -1, x.shape[-1])
    y = arithmetic.linear(flat.flatten(0, 1), base, zero).view(points, -1, len(base))
    out = y if rows is None else y.new_empty(run.points, *y.shape[1:])
    found = matrix.corrected(y, centred(flat, zero), low, None, out)
    return found.view(*x.shape[:-1], -1)


def conv2d(
    run: Pass,
    x: Tensor,
    weight: Tensor,
    zero: int,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """Return the convolution of x - zero at every point."""
    base, low = _moved(run, "int8_conv2d", x, weight)
    rows = run.shared(x)
    own = x if rows is None else rows
    y = arithmetic.conv2d(own, base, zero, stride, padding, dilation, groups)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    geometry = convolution.Geometry(functional.conv2d, tuple(weight.shape[2:]), groups, options)
    found = convolution.corrected(run, geometry, centred(own, zero), y, low, rows is not None)
    return found.reshape(-1, *y.shape[1:])


def _moved(run: Pass, name: str, x: Tensor, weight: Tensor) -> tuple[Tensor, Low]:
    """Return the weight that all points share, and its moves."""
    run.require_folded(name, x)
    moved = run.moved(weight)
    if moved is None or moved.low is None or run.points == 1:
        raise Unsupported(name, "a weight without factors")  # then point after point
    return moved.base, moved.low


RULES = {STEPS: steps, LINEAR: linear, CONV2D: conv2d}
