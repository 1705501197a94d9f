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
from baffle.backends.torch.unsupported import Unsupported, operation_name

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def elementwise(func: Callable, run: Pass, a: Any, b: Any, **options: Any) -> Tensor:
    """Return func(a, b) at every point, where exactly one of the two is a folded activation."""
    name = operation_name(func)
    if run.moved(a) is not None and run.moved(b) is None and run.folded(b):
        return _with(func, name, run, b, run.moved(a), True, options)
    if run.moved(b) is not None and run.moved(a) is None and run.folded(a):
        return _with(func, name, run, a, run.moved(b), False, options)
    return run.by_point(func, (a, b), options)


def _with(
    func: Callable, name: str, run: Pass, x: Tensor, p: Moved | None, first: bool, options: dict
) -> Tensor:
    assert p is not None
    shape = p.base.shape
    if len(shape) > x.dim() or (len(shape) == x.dim() and shape[0] != 1):
        raise Unsupported(name, f"a parameter {tuple(shape)} that reaches the batch axis")
    tail = shape[1:] if len(shape) == x.dim() else shape
    values = p.values.view(run.points, *[1] * (x.dim() - len(tail)), *tail)
    rows = run.shared(x)
    if first or rows is None or name.endswith("_"):
        out = run.split(run.real(x))
    else:
        out = rows.unsqueeze(0)
    found = func(values, out, **options) if first else func(out, values, **options)
    return found.reshape(-1, *found.shape[2:])


_NAMES = ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide")
_FUNCTIONS = [
    *(getattr(torch, name) for name in _NAMES),
    *(getattr(torch.Tensor, name) for name in _NAMES),
    *(getattr(torch.Tensor, name + "_") for name in _NAMES),
    torch.maximum,
    torch.minimum,
    torch.Tensor.maximum,
    torch.Tensor.minimum,
]
RULES = {func: partial(elementwise, func) for func in _FUNCTIONS}
