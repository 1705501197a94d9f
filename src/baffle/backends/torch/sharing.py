"""Work done once for all points: operations on what is the same at every point, on B rows alone.

All that a module does before its first trained layer, and all of a frozen backbone, is the same at
every point. Of such a result the module sees the shape for P·B rows (a stand-in, see folding.py),
and the work is done on B rows. That is right whatever the operation is, unless it was told how many
rows there are: a multiple of P·B among its arguments is understood only where it begins a shape
(`x.view(n, -1)`), and elsewhere the rows are multiplied out. Whether a result still carries rows is
read off torch's own shape inference, asked with P·B rows, and remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.backends.torch.folding import shared_rows

_SHAPES = {torch.Tensor.view, torch.Tensor.reshape, torch.reshape}
_PLAIN = (
    *(type(None), bool, int, float, complex, str, slice, type(...)),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
)
Memo = dict[Any, Any]


class NotShared(Exception):
    """The operation has to see the rows of every point."""


class Sharing:
    """Apply operations on stand-ins to the B rows behind them.

    Args:
        points, folded: P and P·B.
        memo: what shape inference said of earlier calls; kept between passes.
    """

    def __init__(self, points: int, folded: int, memo: Memo) -> None:
        self.points, self.folded, self.memo = points, folded, memo

    def __call__(self, func: Callable, args: Any, kwargs: Any) -> tuple[Any, list[bool]]:
        """Return func's result on B rows, and of each tensor in it whether it carries rows.

        Raises:
            NotShared: it was told a count of rows, or shape inference cannot tell.
        """
        flat, spec = pytree.tree_flatten((args, kwargs))
        found = self._call(func, flat, spec)
        key = (func, self.points, *map(_face, flat))
        if key not in self.memo:
            results = [x.shape for x in pytree.tree_leaves(found) if isinstance(x, Tensor)]
            self.memo[key] = self._carrying(func, flat, spec, results)
        carrying = self.memo[key]
        if carrying is None:
            raise NotShared
        return found, carrying

    def write(self, func: Callable, args: Any, kwargs: Any) -> None:
        """Let func write into the B rows of its first argument.

        Raises:
            NotShared: it was told a count of rows; nothing has been written then.
        """
        self._call(func, *pytree.tree_flatten((args, kwargs)))

    def _call(self, func: Callable, flat: list[Any], spec: Any) -> Any:
        on_rows = [self._on_rows(func, place, x) for place, x in enumerate(flat)]
        args, kwargs = pytree.tree_unflatten(on_rows, spec)
        return func(*args, **kwargs)

    def _on_rows(self, func: Callable, place: int, x: Any) -> Any:
        if isinstance(x, Tensor):
            rows = shared_rows(x)
            if rows is None and x.dim() and len(x) == self.folded:
                raise NotShared  # such as row numbers that the module made
            return x if rows is None else rows
        if not isinstance(x, _PLAIN):
            raise NotShared
        if not isinstance(x, int) or isinstance(x, bool) or x == 0 or x % self.folded:
            return x
        if func in _SHAPES and place == 1:
            return x // self.points
        raise NotShared

    def _carrying(
        self, func: Callable, flat: list[Any], spec: Any, results: Sequence[torch.Size]
    ) -> list[bool] | None:
        """Compare the results' shapes with those for P·B rows; None if they fit neither way."""
        metas = [_meta(x) for x in flat]
        args, kwargs = pytree.tree_unflatten(metas, spec)
        try:
            found = func(*args, **kwargs)
        except Exception:  # whatever inference cannot do, all rows can
            return None
        shapes = [x.shape for x in pytree.tree_leaves(found) if isinstance(x, Tensor)]
        pairs = list(zip(results, shapes, strict=False))
        if len(shapes) != len(results) or not all(self._fits(r, s) for r, s in pairs):
            return None
        return [r != s for r, s in pairs]

    def _fits(self, rows: torch.Size, folded: torch.Size) -> bool:
        if rows == folded:
            return True
        return len(rows) > 0 and folded == (self.points * rows[0], *rows[1:])


def _meta(x: Any) -> Any:
    if isinstance(x, torch.device):
        return torch.device("meta")
    return torch.empty(x.shape, dtype=x.dtype, device="meta") if isinstance(x, Tensor) else x


def _face(x: Any) -> Any:
    """Return what shape inference depends on."""
    return (x.shape, x.dtype) if isinstance(x, Tensor) else repr(x)
