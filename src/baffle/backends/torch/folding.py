"""Activations of P points folded into the batch axis: [P·B, ...], point by point.

What a tensor carries is marked on the tensor itself, so that the mark goes when the tensor goes.
Inputs are alike at every point, and what is made of them before the first trained weight: the
module has them as *shared* stand-ins, whose memory is one not-a-number, and they are multiplied out
only for operations that cannot use the B rows themselves (sharing.py). An operation that slips past
sees nothing but NaN, and the check finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

MARK = "_baffle_mark"


@dataclass(eq=False)
class Fold:
    """The mark of a tensor [P·B, ...]; `shared` holds its B rows if all points have the same."""

    owner: object
    shared: Tensor | None = None


def mark(x: Tensor, owner: object, shared: Tensor | None = None) -> Tensor:
    """Mark a tensor as carrying points and examples on axis 0."""
    x.__dict__[MARK] = Fold(owner, shared)
    return x


def shared_rows(x: Tensor) -> Tensor | None:
    """Return the B rows behind a stand-in, None for any other tensor."""
    fold = x.__dict__.get(MARK)
    return fold.shared if isinstance(fold, Fold) else None


def repeated(rows: Tensor, points: int) -> Tensor:
    """Return P copies of the rows behind one another, [P·B, ...], on fresh memory."""
    return rows.repeat(points, *[1] * (rows.dim() - 1))


def stand_in(rows: Tensor, points: int, owner: object) -> Tensor:
    """Return a marked tensor [P·B, ...] without memory that stands for P times these rows."""
    if rows.dtype == torch.bool or rows.is_complex():
        return mark(repeated(rows, points), owner, rows)
    bad = float("nan") if rows.is_floating_point() else torch.iinfo(rows.dtype).min
    shape = (points * rows.shape[0], *rows.shape[1:])
    return mark(rows.new_full((1,) * rows.dim(), bad).expand(shape), owner, rows)


def fold_inputs(inputs: Any, points: int, owner: object, share: bool) -> Any:
    """Return the inputs of B examples as those of P·B, shared between the points or copied."""
    if share:
        return pytree.tree_map_only(Tensor, lambda x: stand_in(x, points, owner), inputs)
    return pytree.tree_map_only(Tensor, lambda x: mark(repeated(x, points), owner), inputs)
