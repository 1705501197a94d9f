"""Sums, differences, products and quotients of activations and free parameters.

A parameter of shape s broadcasts against [B, ..., *s] in the module; against [P, B, ..., *s] it is
[P, 1, ..., *s].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported, operation_name, writes

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def elementwise(func: Callable, run: Pass, a: Any, b: Any, **options: Any) -> Tensor:
    """Return func(a, b) at every point, where one of the two is an activation."""
    left, right = run.moved(a), run.moved(b)
    if right is not None and run.folded(a):
        x = _rows(run, a, writing=writes(func))
        found = func(x, _beside(run, right, a, func), **options)
    elif left is not None and run.folded(b):
        if writes(func):
            raise Unsupported(operation_name(func), "it writes into a parameter")
        x = _rows(run, b, writing=False)
        found = func(_beside(run, left, b, func), x, **options)
    else:
        return run.by_point(func, (a, b), options)
    return found.reshape(-1, *found.shape[2:])


def _rows(run: Pass, x: Tensor, writing: bool) -> Tensor:
    """Return an activation as [P, B, ...], or [1, B, ...] where all points have the same."""
    rows = run.shared(x)
    if rows is None:
        return run.split(x)
    if writing:
        raise Unsupported("elementwise", "it writes into an input")
    return rows.unsqueeze(0)


def _beside(run: Pass, parameter: Moved, x: Tensor, func: Callable) -> Tensor:
    """Shape a parameter's values [P, 1, …, *shape] to stand beside an activation [P·B, ...]."""
    shape = parameter.base.shape
    if len(shape) == x.dim() and shape[0] == 1:
        shape = shape[1:]
    if len(shape) >= x.dim():
        raise Unsupported(operation_name(func), f"a parameter {list(shape)} meets the batch axis")
    return parameter.values.view(run.points, *[1] * (x.dim() - len(shape)), *shape)


_NAMES = ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide")
_FUNCTIONS = [
    *(getattr(torch, name) for name in (*_NAMES, "maximum", "minimum")),
    *(getattr(torch.Tensor, name) for name in (*_NAMES, "maximum", "minimum")),
    *(getattr(torch.Tensor, name + "_") for name in _NAMES),
]
RULES = {func: partial(elementwise, func) for func in _FUNCTIONS}
