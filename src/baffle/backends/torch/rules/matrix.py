"""Products with a matrix that differs by point: x(W + σ a bᵀ)ᵀ = xWᵀ + σ (x·b) aᵀ.

One product with W serves all points. The dot products x·b are one batched product. The correction
and the bias are written first and the product adds to them, as a plain product adds to its bias; so
the correction costs one more read of x. Where all points have the same rows x, the product with W
is that of one point, and the correction is added to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Delta, Low
from baffle.backends.torch.rules.rows import examples_first
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

# MKL's product of many rows with 5 to 15 outputs takes two to three times as long as with 16.
_PADDED, _MANY_ROWS = 16, 256


@examples_first
def linear(run: Pass, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
    """Return x Wᵀ + bias at every point."""
    matrix = run.moved(weight)
    return _product(run, "linear", input, weight, matrix.delta if matrix else None, bias)


def matmul(run: Pass, input: Tensor, other: Tensor) -> Tensor:  # noqa: A002
    """Return x W at every point, for a matrix on the right."""
    return addmm(run, None, input, other)


def addmm(run: Pass, bias: Tensor | None, x: Tensor, weight: Tensor) -> Tensor:
    """Return bias + x W at every point, for a matrix on the right."""
    if weight.dim() != 2:
        raise Unsupported("matmul", f"a weight of shape {tuple(weight.shape)}")
    matrix = run.moved(weight)
    delta = matrix.transposed.delta if matrix else None
    return _product(run, "matmul", x, matrix.base.t() if matrix else weight.t(), delta, bias)


def _product(
    run: Pass, op: str, x: Tensor, weight: Tensor, delta: Delta | None, bias: Tensor | None
) -> Tensor:
    """Return x Wᵀ + bias where the weight and the bias may differ by point."""
    run.require_folded(op, x)
    if x.dim() < 2 or weight.dim() != 2 or (bias is not None and bias.dim() != 1):
        raise Unsupported(op, "shapes other than rows times a matrix plus a vector")
    offset = run.moved(bias)
    bias = bias if offset is None else offset.values
    rows = run.shared(x)
    if rows is not None:
        found = _from_shared_rows(run.points, rows, weight, delta, bias)
    else:
        found = rows_at_points(x.reshape(run.points, -1, x.shape[-1]), weight, delta, bias)
    return found.view(*x.shape[:-1], -1)


def rows_at_points(x: Tensor, weight: Tensor, delta: Delta | None, bias: Tensor | None) -> Tensor:
    """Return x Wᵀ + bias at every point, [P, n, O].

    Args:
        x: rows [P, n, I].
        weight: [O, I], to which `delta` is added at each point.
        delta: factors, dense [P, O, I], or None.
        bias: [O], [P, O] or None.
    """
    if isinstance(delta, Tensor):
        moved = (delta + weight).to(weight.dtype).transpose(1, 2)
        return torch.bmm(x, moved) if bias is None else torch.baddbmm(_beside(bias), x, moved)
    flat = x.reshape(-1, x.shape[-1])
    if delta is None and (bias is None or bias.dim() == 1):
        return _base(flat, weight, bias).view(*x.shape[:2], -1)
    if _slow_width(flat, weight):
        y = _base(flat, weight, None).view(*x.shape[:2], -1)
        return corrected(y, x, delta, bias, out=y)
    # What is added is written first, in the place of the bias that a plain product begins with, so
    # that the product itself adds to it and nothing is read twice.
    y = x.new_empty(*x.shape[:2], weight.shape[0])
    if delta is None:
        y.copy_(_beside(bias)) if bias is not None else y.zero_()
    elif bias is None:
        torch.mul(_dots(x, delta), delta.out.unsqueeze(1), out=y)
    else:
        torch.addcmul(_beside(bias), _dots(x, delta), delta.out.unsqueeze(1), out=y)
    y.view(len(flat), -1).addmm_(flat, weight.t())
    return y


def _from_shared_rows(
    points: int, rows: Tensor, weight: Tensor, delta: Delta | None, bias: Tensor | None
) -> Tensor:
    """Return the product at every point, [P, n, O], where all points have the same rows."""
    flat = rows.reshape(1, -1, rows.shape[-1])
    if isinstance(delta, Tensor):
        return rows_at_points(flat.expand(points, -1, -1), weight, delta, bias)
    by_point = bias is not None and bias.dim() == 2
    y = _base(flat[0], weight, None if by_point else bias).unsqueeze(0)
    out = y.new_empty(points, *y.shape[1:])
    return corrected(y, flat, delta, bias if by_point else None, out)


def corrected(
    y: Tensor, rows: Tensor, delta: Low | None, bias: Tensor | None, out: Tensor
) -> Tensor:
    """Return y [P or 1, n, O] plus σ (x·b) aᵀ and a bias, written to `out` [P, n, O]."""
    if delta is not None:
        torch.addcmul(y, _dots(rows, delta), delta.out.unsqueeze(1), out=out)
    elif out is not y:
        out.copy_(y)
    return out if bias is None else out.add_(_beside(bias))


def _dots(rows: Tensor, delta: Low) -> Tensor:
    """Return x·b for rows [P or 1, n, I]; [P, n, 1]."""
    if len(rows) != len(delta.inner):
        return (delta.inner @ rows[0].t()).unsqueeze(2)
    # In this order MKL and its like take the fast way; the other is ten times slower.
    return torch.bmm(delta.inner.unsqueeze(1), rows.transpose(1, 2)).transpose(1, 2)


def _beside(bias: Tensor) -> Tensor:
    """Shape a bias [O] or [P, O] to stand beside [P, n, O]."""
    return bias.unsqueeze(-2)


def _base(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the product that all points share; [n, O]."""
    if bias is None and _slow_width(x, weight):
        padded = functional.pad(weight, (0, 0, 0, _PADDED - weight.shape[0]))
        return functional.linear(x, padded)[..., : weight.shape[0]].contiguous()
    return functional.linear(x, weight, bias)


def _slow_width(x: Tensor, weight: Tensor) -> bool:
    many = x.numel() >= _MANY_ROWS * x.shape[-1] and x.device.type == "cpu"
    return many and 4 < weight.shape[0] < _PADDED


RULES = {
    functional.linear: linear,
    torch.matmul: matmul,
    torch.Tensor.matmul: matmul,
    torch.Tensor.__matmul__: matmul,
    torch.mm: matmul,
    torch.Tensor.mm: matmul,
    torch.addmm: addmm,
}
