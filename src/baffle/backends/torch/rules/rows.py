"""Tensors that broadcast over examples, laid out beside activations of P·B rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def laid_out(run: Pass, x: Tensor, dims: int, length: int) -> Tensor:
    """Return what an operation on `dims` axes sees: an activation, or a parameter on every row.

    Args:
        run: the pass.
        x: an activation or constant, returned with its rows in memory, or a parameter whose axis 0
            in `dims` axes is absent or 1.
        dims: axes of the result.
        length: of axis 0, where the examples stand: a multiple of P·B.

    Returns:
        x, or [length, ...] with each point's values on its rows.
    """
    moved = run.moved(x)
    if moved is None:
        return run.real(x)
    return on_axis(run, by_point(run, moved, dims, length), 0, length)


def by_point(run: Pass, moved: Moved, dims: int, length: int) -> Tensor:
    """Return a parameter's values [P, 1, ...] in `dims` axes behind the points.

    What a module has laid along the examples itself, [length, ...], comes as [P, length / P, ...].

    Raises:
        Unsupported: the parameter has more axes, or another length where examples stand.
    """
    shape = moved.base.shape
    if len(shape) == dims and shape[0] == length:
        return _own_rows(run, moved.values)
    if len(shape) > dims or (len(shape) == dims and shape[0] != 1):
        raise Unsupported("broadcast", f"a parameter {list(shape)} meets the batch axis")
    return moved.values.reshape(-1, *[1] * (dims - len(shape)), *shape)


def _own_rows(run: Pass, values: Tensor) -> Tensor:
    """Return of values [P, P · n, ...] each point's own n rows, [P, n, ...]."""
    return values.unflatten(1, (run.points, -1)).diagonal(dim1=0, dim2=1).movedim(-1, 0)


def on_axis(run: Pass, values: Tensor, axis: int, length: int) -> Tensor:
    """Repeat values [P, ..., 1, ...] along an axis of what each point has, to `length` in all."""
    shape = [*values.shape]
    shape[axis + 1] = length // run.points
    return values.expand(shape).movedim(0, axis).flatten(axis, axis + 1)


def examples_first(rule: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a rule that works along the last axes take activations [length, batch, width]."""

    @wraps(rule)
    def turned(run: Pass, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # noqa: A002
        axis = run.axis(rule.__name__, input) if run.folded(input) else 0
        if axis == 0 or axis == input.dim() - 1:
            return rule(run, input, *args, **kwargs)
        first = run.carrying(run.real(input).movedim(axis, 0).contiguous())
        return rule(run, first, *args, **kwargs).movedim(0, axis)

    return turned
