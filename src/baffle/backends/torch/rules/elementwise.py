"""Sums, products, comparisons and choices of activations and free parameters.

A parameter of shape s broadcasts against [B, ..., *s] in the module; against [P, B, ..., *s] it is
[P, 1, ..., *s].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.rules.rows import by_point
from baffle.backends.torch.unsupported import Unsupported, operation_name, writes

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def elementwise(func: Callable, run: Pass, *args: Any, **options: Any) -> Tensor:
    """Return func(*args) at every point, where activations and parameters broadcast."""
    activations = [a for a in args if run.folded(a)]
    if not activations:
        return run.by_point(func, args, options)
    if writes(func):
        _require_own_memory(run, func, args[0])
    dims = max(a.dim() for a in args if isinstance(a, Tensor))
    length = activations[0].shape[0]
    if length % run.rows or any(a.dim() != dims or a.shape[0] != length for a in activations):
        raise Unsupported(operation_name(func), "activations that do not begin with the examples")
    found = func(*(_beside(run, a, dims, length) for a in args), **options)
    return found.reshape(-1, *found.shape[2:])


def _require_own_memory(run: Pass, func: Callable, target: Any) -> None:
    if not run.folded(target):
        raise Unsupported(operation_name(func), "it writes into a parameter")
    if run.shared(target) is not None:
        raise Unsupported(operation_name(func), "it writes into an input")


def _beside(run: Pass, x: Any, dims: int, length: int) -> Any:
    """Shape an argument to stand beside activations [P, length / P, ...] of `dims` axes."""
    if not isinstance(x, Tensor):
        return x
    moved = run.moved(x)
    if moved is not None:
        return by_point(run, moved, dims, length)
    rows = run.shared(x)
    if rows is not None:
        return rows.unsqueeze(0)
    own = x.dim() == dims and x.shape[0] == length
    return run.split(x) if own else x


def prelu(run: Pass, input: Tensor, weight: Tensor) -> Tensor:  # noqa: A002
    """Return max(x, 0) + w min(x, 0) at every point; w is one number, or one a channel."""
    slope = run.moved(weight)
    run.require_folded("prelu", input)
    if slope is None:
        raise Unsupported("prelu", "a slope that is an activation")
    x = run.real(input)
    below = run.split(x.clamp(max=0))
    channels = [-1, *[1] * (x.dim() - 2)] if x.dim() > 1 else [1]
    below.mul_(slope.values.view(run.points, 1, *channels))
    return x.clamp(min=0).add_(below.view(x.shape))


_WRITTEN = ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide")
_PLAIN = ("maximum", "minimum", "pow", "fmod", "remainder", "lerp", "addcmul", "addcdiv", "rsub")
_COMPARED = ("gt", "ge", "lt", "le", "eq", "ne", "greater", "less", "atan2")
_REFLECTED = ("__rsub__", "__rtruediv__", "__rdiv__", "__rpow__", "__radd__", "__rmul__")


def _functions() -> list[Callable[..., Tensor]]:
    both: list[str] = [*_WRITTEN, *_PLAIN, *_COMPARED]
    methods: list[str] = [*both, *_REFLECTED, "__pow__", *(name + "_" for name in _WRITTEN)]
    found = [getattr(torch, name, None) for name in both]
    found += [getattr(torch.Tensor, name, None) for name in methods]
    return [torch.where, *(function for function in found if function is not None)]


RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    **{function: partial(elementwise, function) for function in _functions()},
    **dict.fromkeys((torch.prelu, functional.prelu, torch.Tensor.prelu), prelu),
}
