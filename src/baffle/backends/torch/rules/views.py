"""Views and functions of parameters alone: they differ by point and carry no examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def transposed(run: Pass, x: Tensor) -> Tensor:
    """Return a matrix transposed, its factors kept."""
    moved = run.moved(x)
    if moved is None or x.dim() != 2:
        raise Unsupported("t", "only a matrix may differ by point")
    return run.keep(moved.T)


def transpose(run: Pass, x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a matrix with both axes swapped, its factors kept."""
    if x.dim() == 2 and dim0 % 2 != dim1 % 2:
        return transposed(run, x)
    return run.by_point(torch.transpose, (x, dim0, dim1), {})


def same(run: Pass, x: Tensor) -> Tensor:
    """Return a parameter as it is: detached, contiguous and so on change no value."""
    moved = run.moved(x)
    assert moved is not None
    return run.keep(Moved(moved.base.detach(), moved.low, moved.dense))


def pointwise(func: Callable, run: Pass, *args: Any, **options: Any) -> Tensor:
    """Return a function of parameters, evaluated at each point."""
    return run.by_point(func, args, options)


_BY_POINT = (
    "__getitem__", "unsqueeze", "squeeze", "view", "reshape", "flatten", "neg", "exp", "log",
    "sigmoid", "tanh", "softmax", "relu", "abs", "square", "sqrt", "rsqrt", "clamp", "sum", "mean",
    "float", "norm", "pow", "__pow__", "__rsub__", "__rdiv__", "reciprocal", "unflatten", "permute",
)  # fmt: skip
RULES: dict[Callable, Callable] = {
    **{getattr(torch.Tensor, n): partial(pointwise, getattr(torch.Tensor, n)) for n in _BY_POINT},
    **{
        getattr(torch, n): partial(pointwise, getattr(torch, n))
        for n in _BY_POINT
        if isinstance(getattr(torch, n, None), type(torch.exp))
    },
    torch.nn.functional.softplus: partial(pointwise, torch.nn.functional.softplus),
    torch.Tensor.t: transposed,
    torch.t: transposed,
    torch.Tensor.T.__get__: transposed,
    torch.Tensor.mT.__get__: transposed,
    torch.Tensor.transpose: transpose,
    torch.transpose: transpose,
    torch.Tensor.detach: same,
    torch.Tensor.contiguous: same,
    torch.Tensor.data.__get__: same,
}
