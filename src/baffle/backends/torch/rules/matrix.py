"""Products with a matrix that differs by point: x(W + σ a bᵀ)ᵀ = xWᵀ + σ (x·b) aᵀ.

One product with W serves all points. The dot products x·b are one batched product, and the
correction is added in place to the fresh output. Where all points have the same rows x, the product
with W is that of one point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from baffle.backends.torch.moved import Delta
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass

# MKL's product of many rows with 5 to 15 outputs takes two to three times as long as with 16.
_PADDED, _MANY_ROWS = 16, 256


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
    rows = run.shared(x)
    y = _base(x if rows is None else rows, weight, None if offset else bias)
    by_point = y.view(run.points if rows is None else 1, -1, y.shape[-1])
    flat = (x if rows is None else rows).reshape(len(by_point), -1, x.shape[-1])
    out = by_point if delta is None else _corrected(by_point, flat, delta, fresh=rows is not None)
    if rows is not None and delta is None:
        out = out.repeat(run.points, 1, 1)
    if offset is not None:
        out.add_(offset.values.unsqueeze(1))
    return out.view(*x.shape[:-1], -1)


def _base(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the product that all points share."""
    outputs = weight.shape[0]
    many = x.numel() >= _MANY_ROWS * x.shape[-1] and x.device.type == "cpu"
    if many and 4 < outputs < _PADDED and bias is None:
        weight = functional.pad(weight, (0, 0, 0, _PADDED - outputs))
        return functional.linear(x, weight)[..., :outputs].contiguous()
    return functional.linear(x, weight, bias).contiguous()


def _corrected(y: Tensor, rows: Tensor, delta: Delta, fresh: bool) -> Tensor:
    """Add rows · deltaᵀ to y [P or 1, n, O]: to a fresh tensor, or in place."""
    if isinstance(delta, Tensor):
        term = torch.matmul(rows, delta.transpose(1, 2))
        return term.add_(y)
    if fresh:
        dots = delta.inner @ rows[0].t()
        return torch.addcmul(y, dots.unsqueeze(2), delta.out.unsqueeze(1))
    dots = torch.bmm(delta.inner.unsqueeze(1), rows.transpose(1, 2))
    return y.addcmul_(dots.transpose(1, 2), delta.out.unsqueeze(1))


RULES = {
    functional.linear: linear,
    torch.matmul: matmul,
    torch.Tensor.matmul: matmul,
    torch.Tensor.__matmul__: matmul,
    torch.mm: matmul,
    torch.Tensor.mm: matmul,
    torch.addmm: addmm,
}
