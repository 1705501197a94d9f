"""Products with a matrix that differs by point: x(W + σ a bᵀ)ᵀ = xWᵀ + σ (x·b) aᵀ.

One product with W serves all points. The correction and the bias are one batched product of inner
size two, [x·b, 1] [σ a; bias], added in place to the fresh output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from baffle.backends.torch.moved import Moved
from baffle.backends.torch.unsupported import Unsupported

if TYPE_CHECKING:
    from baffle.backends.torch.rank_one import Pass


def linear(run: Pass, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + bias at every point."""
    matrix = run.moved(weight) or Moved(weight)
    return _product(run, "linear", x, matrix, bias)


def matmul(run: Pass, x: Tensor, weight: Tensor) -> Tensor:
    """Return x W at every point, for a matrix on the right."""
    matrix = run.moved(weight)
    if matrix is None or weight.dim() != 2:
        raise Unsupported("matmul", "only a matrix on the right may differ by point")
    return _product(run, "matmul", x, matrix.T, None)


def addmm(run: Pass, bias: Tensor, x: Tensor, weight: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return bias + x W at every point."""
    if (beta, alpha) != (1, 1):
        raise Unsupported("addmm", "beta and alpha other than one")
    matrix = run.moved(weight) or Moved(weight)
    return _product(run, "addmm", x, matrix.T if matrix.low else Moved(weight.t()), bias)


def _product(run: Pass, op: str, x: Tensor, matrix: Moved, bias: Tensor | None) -> Tensor:
    run.require_folded(op, x)
    if matrix.base.dim() != 2 or x.dim() < 2:
        raise Unsupported(op, f"a weight of shape {tuple(matrix.base.shape)}")
    if bias is not None and bias.dim() != 1:
        raise Unsupported(op, f"a bias of shape {tuple(bias.shape)}")
    shared = run.shared(x)
    if shared is not None:
        return _from_shared(run, shared, matrix, bias)
    y, offset = _base(run, x, matrix.base, bias)
    rows = x.reshape(run.points, -1, x.shape[-1])
    out = y.view(run.points, rows.shape[1], -1)
    if matrix.low is not None:
        dots = torch.bmm(matrix.low.inner.unsqueeze(1), rows.transpose(1, 2))
        add_outer(out, dots.squeeze(1), matrix.low.out, offset)
    else:
        if matrix.dense is not None:
            out.baddbmm_(rows, (matrix.dense - matrix.base).transpose(1, 2))
        if offset is not None:
            out.add_(offset.unsqueeze(1))
    return y


def _base(run: Pass, x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return (x Wᵀ with the bias if it is the same at all points, else the bias by point)."""
    offset = run.moved(bias)
    y = F.linear(x, weight, None if offset else bias)
    return y.contiguous(), offset.values if offset else None


def _from_shared(run: Pass, rows: Tensor, matrix: Moved, bias: Tensor | None) -> Tensor:
    """Return the product where all points have the same rows: one product of B rows."""
    y, offset = _base(run, rows, matrix.base, bias)
    flat = y.view(1, -1, y.shape[-1])
    out = flat.repeat(run.points, 1, 1)
    x = rows.reshape(-1, rows.shape[-1])
    if matrix.low is not None:
        add_outer(out, matrix.low.inner @ x.t(), matrix.low.out, offset)
    else:
        if matrix.dense is not None:
            out.baddbmm_(x.expand(run.points, -1, -1), (matrix.dense - matrix.base).transpose(1, 2))
        if offset is not None:
            out.add_(offset.unsqueeze(1))
    return out.view(run.points * y.shape[0], *y.shape[1:])


def add_outer(out: Tensor, coefficient: Tensor, vector: Tensor, offset: Tensor | None) -> None:
    """Add coefficient ⊗ vector (+ offset) to `out` [P, n, O] in place; [P, n], [P, O], [P, O]."""
    if coefficient.shape[1] == 1:
        out.addcmul_(coefficient.unsqueeze(2), vector.unsqueeze(1))
        if offset is not None:
            out.add_(offset.unsqueeze(1))
    elif offset is None:
        out.baddbmm_(coefficient.unsqueeze(2), vector.unsqueeze(1))
    else:
        ones = torch.ones_like(coefficient)
        left = torch.stack((coefficient, ones), dim=1).transpose(1, 2)
        out.baddbmm_(left, torch.stack((vector, offset), dim=1))


RULES = {
    F.linear: linear,
    torch.matmul: matmul,
    torch.Tensor.matmul: matmul,
    torch.Tensor.__matmul__: matmul,
    torch.mm: matmul,
    torch.Tensor.mm: matmul,
    torch.addmm: addmm,
    torch.Tensor.addmm: addmm,
}
