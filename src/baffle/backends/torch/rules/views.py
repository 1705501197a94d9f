"""Parameters seen another way. What has no rule here is evaluated at each point (Pass.by_point).

A rank-one direction is one vector an axis: slices, transposes and axes of length one act on these
vectors, so a packed projection or an expert's matrix out of a stack keeps its factors. The kernel
of a convolution is one vector for all axes behind the second, which are then left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from baffle.backends.torch.moved import Low, Moved
from baffle.backends.torch.rules import embedding
from baffle.backends.torch.rules.rows import on_axis
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

_ALL = slice(None)


def transposed(run: Pass, input: Tensor) -> Tensor:  # noqa: A002
    """Return a matrix transposed, its factors kept."""
    moved = run.moved(input)
    if moved is None or input.dim() != 2:
        raise Unsupported("t", "only a matrix that differs by point has this rule")
    return run.keep(moved.transposed)


def swapped(function: Callable, run: Pass, input: Tensor, *dims: Any, **named: Any) -> Tensor:  # noqa: A002
    """Return a tensor with its axes in another order, a matrix with its factors kept."""
    if input.dim() == 2 and not named and {dim % 2 for dim in _flat(dims)} == {0, 1}:
        same_order = function in _PERMUTE and _flat(dims)[0] % 2 == 0
        return same(run, input) if same_order else transposed(run, input)
    moved, factors = run.moved(input), _axes(run, input)
    if moved is None or factors is None or input.dim() != 3:
        return seen(function, run, input, *dims, **named)
    order = function(torch.empty(1, 2, 3), *dims, **named).shape
    base = function(moved.base, *dims, **named)
    return run.keep(Moved(base, _delta([factors[n - 1] for n in order])))


def seen(function: Callable, run: Pass, input: Tensor, *args: Any, **named: Any) -> Tensor:  # noqa: A002
    """Return a view whose factors are lost: of the dense delta, or else of every point's values."""
    moved = run.moved(input)
    if moved is None or isinstance(moved.delta, Low):
        return run.by_point(function, (input, *args), named)
    delta = torch.vmap(lambda d: function(d, *args, **named))(moved.delta)
    return run.keep(Moved(function(moved.base, *args, **named), delta))


def same(run: Pass, input: Tensor, *_: Any, **__: Any) -> Tensor:  # noqa: A002
    """Return a parameter as it is: detaching and the like change no value."""
    moved = run.moved(input)
    assert moved is not None
    return run.keep(Moved(moved.base.detach(), moved.delta))


def _flat(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return sizes or axes that were given one by one or as one sequence."""
    return (
        tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else tuple(sizes)
    )


def _axes(run: Pass, x: Tensor) -> list[Tensor] | None:
    """Return a factor [P, n] for axes 0 and 1 and for all behind; None if x has no factors."""
    moved = run.moved(x)
    if moved is None or moved.low is None:
        return None
    low = moved.low
    return [low.out, low.inner, low.kernel][: min(x.dim(), 3)]


def _delta(factors: Sequence[Tensor]) -> Low | Tensor:
    """Return the product of a factor an axis as a delta; of a single one, dense."""
    if len(factors) == 1:
        return factors[0]
    out, inner, *kernel = factors
    return Low(out, inner, kernel[0] if kernel else out.new_ones(len(out), 1))


def item(run: Pass, input: Tensor, index: Any) -> Tensor:  # noqa: A002
    """Return input[index]: numbers and slices keep factors, a tensor of numbers looks rows up."""
    if isinstance(index, Tensor) and (run.folded(index) or input.dim() == 2):
        if index.dtype not in (torch.int64, torch.int32) or not index.dim():
            raise Unsupported("torch.Tensor.__getitem__", "an index that is not of whole numbers")
        return embedding.rows_of(run, input, index, signed=True)
    wanted = index if isinstance(index, tuple) else (index,)
    factors, moved = _axes(run, input), run.moved(input)
    if factors is None or moved is None or not _on_factors(wanted, input.dim()):
        return seen(torch.Tensor.__getitem__, run, input, index)
    return run.keep(Moved(moved.base[index], _indexed(factors, wanted)))


def _on_factors(wanted: tuple[Any, ...], dims: int) -> bool:
    """Say whether an index takes numbers or slices of axes that have a factor each."""
    plain = all(type(n) is int or isinstance(n, slice) for n in wanted) and len(wanted) <= dims
    own = 3 if dims == 3 else 2
    rest_whole = all(n == _ALL for n in wanted[own:])
    numbers = sum(type(n) is int for n in wanted)
    return plain and rest_whole and (dims == own or not numbers) and numbers < dims


def _indexed(factors: Sequence[Tensor], wanted: tuple[Any, ...]) -> Low | Tensor:
    kept: list[Tensor] = []
    scale = factors[0].new_ones(len(factors[0]), 1)
    for n, factor in zip((*wanted, _ALL, _ALL)[: len(factors)], factors, strict=True):
        if isinstance(n, slice):
            kept.append(factor[:, n])
        else:
            scale = scale * factor[:, n].unsqueeze(1)
    kept[0] = kept[0] * scale
    return _delta(kept)


def narrow(run: Pass, input: Tensor, dim: int, start: int, length: int) -> Tensor:  # noqa: A002
    """Return input.narrow, its factors kept."""
    begin = start % input.shape[dim] if start < 0 else start
    return item(run, input, (*[_ALL] * (dim % input.dim()), slice(begin, begin + length)))


def select(run: Pass, input: Tensor, dim: int, index: int) -> Tensor:  # noqa: A002
    """Return input.select, its factors kept."""
    return item(run, input, (*[_ALL] * (dim % input.dim()), index))


def several(function: Callable, run: Pass, input: Tensor, *args: Any, **named: Any) -> Any:  # noqa: A002
    """Return chunk, split and the like of a parameter: slices, each with its factors."""
    sizes = function(torch.empty(input.shape, device="meta"), *args, **named)
    dim = named.get("dim", args[1] if len(args) > 1 else 0) % input.dim()
    found, start = [], 0
    for part in sizes:
        found.append(narrow(run, input, dim, start, part.shape[dim]))
        start += part.shape[dim]
    return type(sizes)(found)


def unbound(run: Pass, input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: A002
    """Return input.unbind, each part with its factors."""
    return tuple(select(run, input, dim, n) for n in range(input.shape[dim]))


def reshaped(function: Callable, run: Pass, input: Tensor, *sizes: Any, **named: Any) -> Tensor:  # noqa: A002
    """Return a parameter in another shape, its factors kept where each axis keeps its own."""
    moved, factors = run.moved(input), _axes(run, input)
    if moved is not None and factors is not None:
        base = function(moved.base, *sizes, **named)
        kept = _regrouped(moved, tuple(base.shape))
        if kept is not None:
            return run.keep(Moved(base, kept))
    return seen(function, run, input, *sizes, **named)


def _regrouped(moved: Moved, shape: tuple[int, ...]) -> Low | Tensor | None:
    """Return the factors of a moved tensor in a new shape, None if they have none there."""
    low = moved.low
    assert low is not None
    inner, kernel = low.inner.shape[1], low.kernel.shape[1]
    rest = (inner, kernel)
    if len(shape) == 2 and shape == (low.out.shape[1], inner * kernel):
        return Low(low.out, low.right.flatten(1), low.out.new_ones(len(low.out), 1))
    if len(shape) > 2 and (shape[0], shape[1], prod(shape[2:])) == (low.out.shape[1], *rest):
        return low
    if len(shape) == 3 and shape == (1, low.out.shape[1], inner) and kernel == 1:
        return Low(low.out.new_ones(len(low.out), 1), low.out, low.inner)
    return None


def expanded(function: Callable, run: Pass, input: Tensor, *sizes: Any, **named: Any) -> Tensor:  # noqa: A002
    """Return a parameter repeated: over all examples an activation, else another parameter."""
    moved = run.moved(input)
    if moved is None:
        raise Unsupported(function.__name__, "a size that differs by point")
    target = function(torch.empty(input.shape, device="meta"), *sizes, **named).shape
    axis = _example_axis(run, input.shape, target)
    if axis is None:
        return seen(function, run, input, *sizes, **named)
    once = [*target]
    once[axis] = 1
    shape = (*[1] * (len(target) - input.dim()), *input.shape)
    values = moved.values.reshape(run.points, *shape)
    repeats = [n // own for n, own in zip(once, shape, strict=True)]
    return on_axis(run, values.repeat(1, *repeats), axis, run.rows)


def _example_axis(run: Pass, before: Sequence[int], after: Sequence[int]) -> int | None:
    """Return the axis of length one, or new, that became P·B long: the first, or else the second.

    One axis alone is a vector as long as the batch by chance, rather than a number an example.
    """
    own = (*[1] * (len(after) - len(before)), *before)
    for axis in range(min(2, len(after))):
        if len(after) > 1 and own[axis] == 1 and after[axis] == run.rows:
            return axis
    return None


def expanded_as(run: Pass, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
    """Return a parameter repeated to the shape of an activation or constant."""
    return expanded(torch.Tensor.expand, run, input, *other.shape)


def _getter(name: str) -> Any:
    return vars(torch._C.TensorBase)[name].__get__


_PERMUTE = (torch.Tensor.permute, torch.permute)
_SWAPS = (
    *_PERMUTE,
    *(torch.Tensor.transpose, torch.transpose, torch.Tensor.swapaxes, torch.swapaxes),
)
_SEVERAL = [
    *(getattr(torch.Tensor, name) for name in ("chunk", "split", "tensor_split", "unsafe_chunk")),
    *(torch.chunk, torch.split, torch.tensor_split, torch.unsafe_chunk),
]
_RESHAPES = [
    *(getattr(torch.Tensor, name) for name in ("view", "reshape", "flatten", "unflatten")),
    *(torch.Tensor.squeeze, torch.Tensor.unsqueeze),
    *(torch.reshape, torch.flatten, torch.unflatten, torch.squeeze, torch.unsqueeze),
]
_REPEATS = [*(getattr(torch.Tensor, name) for name in ("expand", "repeat", "broadcast_to", "tile"))]
_REPEATS += [torch.broadcast_to, torch.tile]

RULES = {
    torch.Tensor.t: transposed,
    torch.t: transposed,
    _getter("T"): transposed,
    _getter("mT"): transposed,
    torch.Tensor.detach: same,
    torch.Tensor.contiguous: same,
    _getter("data"): same,
    torch.Tensor.__getitem__: item,
    torch.Tensor.narrow: narrow,
    torch.narrow: narrow,
    torch.Tensor.select: select,
    torch.select: select,
    torch.Tensor.unbind: unbound,
    torch.unbind: unbound,
    torch.Tensor.expand_as: expanded_as,
    **{function: partial(swapped, function) for function in _SWAPS},
    **{function: partial(several, function) for function in _SEVERAL},
    **{function: partial(reshaped, function) for function in _RESHAPES},
    **{function: partial(expanded, function) for function in _REPEATS},
}
