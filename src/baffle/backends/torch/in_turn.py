"""An operation without a rule, inside a batched pass: point after point, each with its own values.

It gets the rows of one point and that point's parameters in full, which is what the module would
have called at that point; so the result is right whatever the operation does. It costs a call and a
perturbed copy of its parameters a point, for this operation alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.backends.torch.unsupported import Unsupported, operation_name, writes

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def in_turn(run: Pass, func: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Return func's result at every point.

    Raises:
        Unsupported: it writes into its arguments, or examples do not stand on axis 0.
    """
    name = operation_name(func)
    if writes(func) or kwargs.get("out") is not None or kwargs.get("inplace"):
        raise Unsupported(name, "it writes into its arguments")
    flat, spec = pytree.tree_flatten((args, kwargs))
    axes = {run.axis(name, x) for x in flat if run.folded(x)}
    if len(axes) != 1:
        raise Unsupported(name, "activations whose examples stand on different axes")
    axis, results = axes.pop(), []
    for point in range(run.points):
        a, k = pytree.tree_unflatten([_at(run, x, point, axis) for x in flat], spec)
        results.append(func(*a, **k))
    run.slow.add(name)
    return _joined(run, name, results, axis)


def _at(run: Pass, x: Any, point: int, axis: int) -> Any:
    """Return an argument as it is at one point."""
    if not isinstance(x, Tensor):
        return x
    moved = run.moved(x)
    if moved is not None:
        return moved.at(point)
    if not run.folded(x):
        return x
    rows = run.shared(x)
    each = x.shape[axis] // run.points
    return x.narrow(axis, point * each, each) if rows is None else rows


def _joined(run: Pass, name: str, results: list[Any], axis: int) -> Any:
    """Put the points' results behind one another on the axis of the examples."""
    split = [pytree.tree_flatten(r) for r in results]
    each = zip(*(s[0] for s in split), strict=True)
    leaves = [_join(run, name, list(leaf), axis) for leaf in each]
    return pytree.tree_unflatten(leaves, split[0][1])


def _join(run: Pass, name: str, each: list[Any], axis: int) -> Any:
    first = each[0]
    if not isinstance(first, Tensor):
        if any(x != first for x in each[1:]):
            raise Unsupported(name, "a value that differs by point is read")
        return first
    examples = run.rows // run.points
    if first.dim() <= axis or first.shape[axis] % examples:
        raise Unsupported(name, "its result does not carry every example where they stood")
    return run.carrying(torch.cat(each, axis))
