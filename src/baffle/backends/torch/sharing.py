"""Work done once for all points: functions of shared inputs, applied to their B rows alone.

Only functions that surely treat each row by itself are listed; for others the rows are multiplied
out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_ROWWISE = {torch.Tensor.float, torch.Tensor.contiguous, torch.Tensor.to}
_WITH_NUMBER = {getattr(torch.Tensor, name) for name in ("add", "sub", "mul", "div", "__rsub__")}
_FLATTEN = {torch.Tensor.flatten, torch.flatten}
_RESHAPE = {torch.Tensor.view, torch.Tensor.reshape, torch.reshape}


def on_rows(func: Callable, rows: Tensor, rest: tuple[Any, ...], folded: int) -> Tensor | None:
    """Return func(rows, *rest), None if that may not be the rows of func on P·B rows.

    Args:
        func: an operation that the module called on the stand-in.
        rows: the B rows behind it.
        rest: the other positional arguments, none of them a tensor.
        folded: P·B, which the module may have read from the stand-in's shape.
    """
    if func in _ROWWISE or func in _WITH_NUMBER:
        return func(rows, *rest)
    if func in _FLATTEN:
        return rows.flatten(*rest) if rest and rest[0] > 0 else None
    return _reshaped(rows, rest, folded) if func in _RESHAPE else None


def _reshaped(rows: Tensor, rest: tuple[Any, ...], folded: int) -> Tensor | None:
    """Reshape the rows if the new shape leaves the batch axis as it is."""
    sizes = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
    if not sizes or not all(isinstance(n, int) for n in sizes) or sizes[0] not in (-1, folded):
        return None
    found = rows.reshape(-1 if sizes[0] == -1 else len(rows), *sizes[1:])
    return found if len(found) == len(rows) else None
