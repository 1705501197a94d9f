"""Sums over products of activations with a tensor that differs by point, in einsum's notation.

A rank-one direction is one vector an axis. Each vector whose axes are summed goes into the one
activation that has these axes; the vectors of the axes that remain are multiplied on at the end. So
the direction is never multiplied out, and one contraction with the base weight serves all points.
`matmul`, `bmm`, `tensordot` and `bilinear` are special cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Low
from baffle.backends.torch.rules import matrix
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


@dataclass(frozen=True, eq=False)
class Term:
    """A tensor and the letter of each of its axes."""

    tensor: Tensor
    axes: str


def einsum(run: Pass, equation: Any, *operands: Any) -> Tensor:
    """Return torch.einsum at every point."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise Unsupported("einsum", "operands given by lists of axes")
    if not any(run.folded(x) for x in operands):
        return run.by_point(torch.einsum, (equation, *operands), {})
    inputs, output = _spelled(equation.replace(" ", ""), [x.dim() for x in operands])
    return contracted(run, "einsum", list(map(Term, operands, inputs)), output)


def _spelled(equation: str, dims: Sequence[int]) -> tuple[list[str], str]:
    """Return the axes of every operand and of the result, an ellipsis spelled out."""
    left, arrow, right = equation.partition("->")
    inputs = left.split(",")
    spare = [n for n in ascii_letters if n not in equation]
    hidden = [d - len(i.replace("...", "")) for i, d in zip(inputs, dims, strict=True)]
    shared = "".join(spare[: max(hidden)])
    named = [
        i.replace("...", shared[len(shared) - h :]) for i, h in zip(inputs, hidden, strict=True)
    ]
    if not arrow:
        every = "".join(inputs).replace("...", "")
        right = "..." + "".join(sorted(n for n in set(every) if every.count(n) == 1))
    return named, right.replace("...", shared)


def contracted(run: Pass, name: str, terms: list[Term], output: str) -> Tensor:
    """Return the contraction at every point, [P·B, ...] with the examples on its first axis.

    Args:
        run: the pass.
        name: of the operation, for refusals.
        terms: activations [P·B, ...] of one first letter, parameters and constants.
        output: the axes of the result, the examples' letter first.

    Raises:
        Unsupported: the examples stand on another axis, or are summed over.
    """
    weights = [t for t in terms if run.moved(t.tensor) is not None]
    activations = [t for t in terms if run.folded(t.tensor)]
    others = [t for t in terms if t not in weights and t not in activations]
    _require_batch_first(run, name, output[:1], activations, [*weights, *others])
    point = _letter(output, terms)
    split = [_split(run, t, point) for t in activations]
    shape = (run.rows, *_sizes(terms, output)[1:])
    low = _low(run, weights)
    if low is None:
        values = [Term(_values(run, t), point + t.axes) for t in weights]
        return _einsum([*split, *values, *others], point + output).reshape(shape)
    base = Term(_base(run, weights[0]), weights[0].axes)
    shared = all(run.shared(t.tensor) is not None for t in activations)
    y = _einsum([*split, base, *others], output if shared else point + output)
    found = _direction([*split, *others], low, weights[0], point, output)
    return found.add_(y).reshape(shape)


def _require_batch_first(
    run: Pass, name: str, batch: str, activations: Sequence[Term], others: Sequence[Term]
) -> None:
    for t in activations:
        if t.axes[:1] != batch or len(t.tensor) != run.rows or len(set(t.axes)) < len(t.axes):
            raise Unsupported(name, "examples on another axis than the first")
    if any(batch in t.axes for t in others):
        raise Unsupported(name, "a parameter that meets the batch axis")


def _letter(output: str, terms: Sequence[Term]) -> str:
    used = output + "".join(t.axes for t in terms)
    return next(n for n in ascii_letters if n not in used)


def _split(run: Pass, term: Term, point: str) -> Term:
    """Return an activation as [P, B, ...], or as [B, ...] where all points have the same."""
    rows = run.shared(term.tensor)
    return (
        Term(rows, term.axes)
        if rows is not None
        else Term(run.split(term.tensor), point + term.axes)
    )


def _sizes(terms: Sequence[Term], output: str) -> list[int]:
    known = dict.fromkeys(output, 1)
    for t in terms:
        known |= {n: max(s, known.get(n, 1)) for n, s in zip(t.axes, t.tensor.shape, strict=True)}
    return [known[n] for n in output]


def _low(run: Pass, weights: Sequence[Term]) -> Low | None:
    """Return the factors of the one weight, None if there are several or it has none."""
    if len(weights) != 1 or len(set(weights[0].axes)) < len(weights[0].axes):
        return None
    moved = run.moved(weights[0].tensor)
    return moved.low if moved else None


def _values(run: Pass, term: Term) -> Tensor:
    moved = run.moved(term.tensor)
    assert moved is not None
    return moved.values


def _base(run: Pass, term: Term) -> Tensor:
    moved = run.moved(term.tensor)
    assert moved is not None
    return moved.base


def _direction(terms: list[Term], low: Low, weight: Term, point: str, output: str) -> Tensor:
    """Return the contraction with the direction in place of the weight, [P, B, ...]."""
    remaining = []
    for factor in _factors(low, weight, point):
        own = set(factor.axes) - {point}
        having = [t for t in terms if own & set(t.axes)]
        if own & set(output) or len(having) != 1:
            remaining.append(factor)
            continue
        [t] = having
        left = "".join(n for n in t.axes if n not in own and n != point)
        terms[terms.index(t)] = Term(_einsum([t, factor], point + left), point + left)
    last = remaining[:1]
    for factor in remaining[1:]:  # small: what the weight's own axes make, without the examples
        axes = last[0].axes + factor.axes.replace(point, "")
        last = [Term(_einsum([last[0], factor], axes), axes)]
    return _einsum([*terms, *last], point + output)


def _factors(low: Low, weight: Term, point: str) -> list[Term]:
    """Return the direction's vectors, each with its axes."""
    kernel = low.kernel.view(-1, *weight.tensor.shape[2:])
    named = [(low.out, weight.axes[:1]), (low.inner, weight.axes[1:2]), (kernel, weight.axes[2:])]
    return [Term(x, point + axes) for x, axes in named if axes or prod(x.shape[1:]) != 1]


def _einsum(terms: Sequence[Term], output: str) -> Tensor:
    return torch.einsum(f"{','.join(t.axes for t in terms)}->{output}", *(t.tensor for t in terms))


def matmul(run: Pass, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
    """Return the matrix product at every point, the parameter on either side."""
    if run.folded(input) and other.dim() == 2:
        return matrix.matmul(run, input, other)
    if not (run.folded(input) or run.folded(other)):
        return run.by_point(torch.matmul, (input, other), {})
    if min(input.dim(), other.dim()) == 0:
        raise Unsupported("matmul", "a scalar")
    longest = max(input.dim(), other.dim(), 2) - 2
    leading = ascii_letters[3 : 3 + longest]
    a, b = (_matrix_axes(run, x, leading, own) for x, own in ((input, "ab"), (other, "cb")))
    b = Term(b.tensor, b.axes.replace("cb", "bc"))
    left = "".join(n for n in leading if n in a.axes + b.axes)
    output = left + ("a" if "a" in a.axes else "") + ("c" if "c" in b.axes else "")
    return contracted(run, "matmul", [a, b], output)


def _matrix_axes(run: Pass, x: Tensor, leading: str, own: str) -> Term:
    """Name the axes of a factor of a matrix product; a parameter's leading axes of one go."""
    if x.dim() == 1:
        return Term(x, own[1])
    axes = leading[len(leading) - x.dim() + 2 :] + own
    with run:
        while not run.folded(x) and x.dim() > 2 and x.shape[0] == 1:
            x, axes = x[0], axes[1:]
    return Term(x, axes)


def tensordot(run: Pass, a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Return torch.tensordot at every point."""
    if out is not None or isinstance(dims, Tensor) or not (run.folded(a) or run.folded(b)):
        raise Unsupported("tensordot", "no activation, or an output that is given")
    if isinstance(dims, int):
        dims = ([*range(a.dim() - dims, a.dim())], [*range(dims)])
    first = ascii_letters[: a.dim()]
    second = list(ascii_letters[a.dim() : a.dim() + b.dim()])
    for i, j in zip(*dims, strict=True):
        second[j] = first[i]
    output = "".join(n for n in (*first, *second) if (n in first) != (n in second))
    return contracted(run, "tensordot", [Term(a, first), Term(b, "".join(second))], output)


def bilinear(
    run: Pass, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Return x1ᵀ W x2 + bias at every point."""
    leading = ascii_letters[3 : 2 + input1.dim()]
    terms = [Term(input1, leading + "b"), Term(weight, "abc"), Term(input2, leading + "c")]
    if run.moved(weight) is None:
        run.require_folded("bilinear", input1)
        y = functional.bilinear(run.real(input1), run.real(input2), weight)
    else:
        y = contracted(run, "bilinear", terms, leading + "a")
    offset = run.moved(bias)
    if bias is not None:
        added = offset.values if offset else bias.unsqueeze(0)
        run.split(y).add_(added.view(len(added), *[1] * (y.dim() - 1), -1))
    return y


def _rank(function: Callable, rank: int, run: Pass, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
    """Return mm, bmm or mv, a matrix product of these ranks."""
    if input.dim() != rank:
        raise Unsupported(function.__name__, f"an operand of {input.dim()} axes")
    return matmul(run, input, other)


RULES: dict[Callable, Callable] = {
    torch.einsum: einsum,
    torch.tensordot: tensordot,
    functional.bilinear: bilinear,
    torch.bilinear: bilinear,
}
RULES |= dict.fromkeys((torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__), matmul)
for _owner in (torch, torch.Tensor):
    RULES |= {
        getattr(_owner, _name): partial(_rank, getattr(_owner, _name), _dims)
        for _name, _dims in (("bmm", 3), ("mv", 2))
    }
