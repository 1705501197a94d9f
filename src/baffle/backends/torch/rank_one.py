"""The batched pass: P points folded into the batch axis, one product with the base weights.

A function mode sees every operation of the module's forward, whatever classes it is made of:
  - with a tensor that differs by point (a trained parameter or something made from one): a rule;
  - with a folded activation: as it is, on [P·B, ...], since operations treat examples alike;
  - with neither: as it is.
What mixes examples breaks the second assumption. Some of it is seen here (results that no longer
carry every example, values read into Python); the rest is found by the probe's check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch import folding
from baffle.backends.torch.examples import arguments, batch_size
from baffle.backends.torch.moved import Moved
from baffle.backends.torch.rules import RULES
from baffle.backends.torch.unsupported import Unsupported, operation_name

_MOVED = "_baffle_moved"
_TENSOR_GETTERS = {"T", "mT", "H", "mH", "data", "grad", "real", "imag"}
_METADATA = {
    getattr(torch.Tensor, name)
    for name in (
        "size", "dim", "ndimension", "numel", "nelement", "stride", "is_contiguous", "__len__",
        "is_floating_point", "is_complex", "element_size", "get_device", "storage_offset",
    )
} | {
    getter.__get__
    for name, getter in vars(torch._C.TensorBase).items()
    if hasattr(getter, "__get__") and hasattr(getter, "__set__") and name not in _TENSOR_GETTERS
}  # fmt: skip
_READS = {
    getattr(torch.Tensor, name)
    for name in ("item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__",
                 "is_nonzero", "equal", "allclose", "nonzero", "__array__", "__contains__")
} | {torch.equal, torch.allclose, torch.nonzero, torch.is_nonzero, torch.unique, torch.argwhere}  # fmt: skip


class Pass(TorchFunctionMode):
    """One batched pass over P points and B examples.

    Args:
        points: P.
        examples: B.
        tracked: by id of a parameter, its values at the points.
    """

    def __init__(self, points: int, examples: int, tracked: Mapping[int, Moved]) -> None:
        super().__init__()
        self.points = points
        self.rows = points * examples
        self.tracked = tracked
        self.depth = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _METADATA:
            return func(*args, **kwargs)
        tensors = _tensors(args, kwargs)
        if any(self.moved(t) is not None for t in tensors):
            return self._by_rule(func, args, kwargs)
        if any(folding.fold_of(t) is not None for t in tensors):
            return self._on_rows(func, args, kwargs)
        return func(*args, **kwargs)

    def _by_rule(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        rule = RULES.get(func)
        if rule is None:
            raise Unsupported(operation_name(func), "no rule for a weight that differs by point")
        self.depth += 1
        try:
            found = rule(self, *args, **kwargs)
        except TypeError as error:
            raise Unsupported(operation_name(func), str(error)) from error
        return found if self.moved(found) is not None else self._marked(func, found)

    def _on_rows(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in _READS:
            raise Unsupported(operation_name(func), "a value of an activation is read")
        rows = _on_shared(self, func, args, kwargs)
        if rows is not None:
            return folding.stand_in(rows, self.points, self)
        args, kwargs = pytree.tree_map_only(Tensor, self.real, (args, kwargs))
        return self._marked(func, func(*args, **kwargs))

    def _marked(self, func: Callable, found: Any) -> Any:
        for t in _tensors((found,), {}):
            if t.numel() % self.rows:
                raise Unsupported(operation_name(func), "its result does not carry every example")
            folding.mark(t, self)
        return found

    def moved(self, x: Any) -> Moved | None:
        """Return the values by point of a parameter or of what is made from one; None for others."""
        if not isinstance(x, Tensor):
            return None
        return self.tracked.get(id(x)) or getattr(x, _MOVED, None)

    def keep(self, moved: Moved) -> Tensor:
        """Return the tensor by which the module knows values by point that a rule made."""
        setattr(moved.base, _MOVED, moved)
        return moved.base

    def by_point(self, func: Callable, args: tuple, options: dict) -> Tensor:
        """Evaluate a function of parameters (and constants) at each point."""
        flat, spec = pytree.tree_flatten((args, options))
        if any(isinstance(t, Tensor) and folding.fold_of(t) is not None for t in flat):
            raise Unsupported(operation_name(func), "no rule for parameter and activation together")
        if getattr(func, "__name__", "").endswith("_") and not func.__name__.endswith("__"):
            raise Unsupported(operation_name(func), "it writes into a parameter")
        moved = [(i, m) for i, t in enumerate(flat) if (m := self.moved(t)) is not None]

        def at(values: list[Tensor]) -> Any:
            filled = list(flat)
            for (i, _), value in zip(moved, values, strict=True):
                filled[i] = value
            a, o = pytree.tree_unflatten(filled, spec)
            return func(*a, **o)

        base = at([m.base for _, m in moved])
        values = torch.vmap(at)([m.values for _, m in moved])
        return self.keep(Moved(base.view_as(base), dense=values))

    def folded(self, x: Any) -> bool:
        """Say whether a tensor carries points and examples."""
        return isinstance(x, Tensor) and folding.fold_of(x) is not None

    def shared(self, x: Tensor) -> Tensor | None:
        """Return the B rows of an activation that is the same at all points, else None."""
        fold = folding.fold_of(x)
        return fold.shared if fold else None

    def real(self, x: Tensor) -> Tensor:
        """Return an activation with all P·B rows in memory."""
        rows = self.shared(x)
        return x if rows is None else folding.repeated(rows, self.points)

    def split(self, x: Tensor) -> Tensor:
        """View [P·B, ...] as [P, B, ...]."""
        return x.unflatten(0, (self.points, -1))

    def require_folded(self, operation: str, x: Any) -> None:
        """Raise Unsupported unless x is an activation with whole points on axis 0."""
        fold = folding.fold_of(x) if isinstance(x, Tensor) else None
        if fold is None or fold.owner is not self or x.shape[0] % self.rows:
            raise Unsupported(operation, "an input that does not carry the examples on axis 0")


def _tensors(args: tuple, kwargs: dict) -> list[Tensor]:
    """Return the tensors among arguments, in lists, tuples and dicts as well."""
    found = []
    for a in (*args, *kwargs.values()):
        if isinstance(a, Tensor):
            found.append(a)
        elif isinstance(a, (list, tuple)):
            found += _tensors(tuple(a), {})
        elif isinstance(a, dict):
            found += _tensors((), a)
    return found


_ROWWISE = {torch.Tensor.float, torch.Tensor.contiguous, torch.Tensor.to}
_SCALAR = {
    getattr(torch.Tensor, name) for name in ("add", "sub", "mul", "div", "__rsub__")
}
_RESHAPES = {torch.Tensor.view, torch.Tensor.reshape, torch.Tensor.flatten, torch.flatten}


def _on_shared(run: Pass, func: Callable, args: tuple, kwargs: dict) -> Tensor | None:
    """Apply a function to the B rows of a shared input if that is sure to be the same, else None."""
    rows = run.shared(args[0]) if args and isinstance(args[0], Tensor) else None
    if rows is None or kwargs or _tensors(args[1:], {}):
        return None
    if func in _ROWWISE or func in _SCALAR:
        return func(rows, *args[1:])
    if func in _RESHAPES:
        return _reshaped(run, func, rows, args[1:])
    return None


def _reshaped(run: Pass, func: Callable, rows: Tensor, sizes: tuple) -> Tensor | None:
    """Reshape the rows, if the batch axis stays."""
    if func in (torch.Tensor.flatten, torch.flatten):
        return rows.flatten(*sizes) if sizes and sizes[0] > 0 else None
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    if not sizes or not all(isinstance(n, int) for n in sizes) or sizes[0] not in (-1, run.rows):
        return None
    found = rows.reshape(-1 if sizes[0] == -1 else len(rows), *sizes[1:])
    return found if len(found) == len(rows) else None


def outputs_at(
    module: nn.Module, inputs: Any, points: int, tracked: Mapping[int, Moved], share: bool = True
) -> tuple[Any, int]:
    """Return the module's outputs [P, B, ...] in one pass, and how many rules it took.

    Args:
        module: in eval mode, with the base weights loaded.
        inputs: a batch of B examples.
        points: P.
        tracked: by id of each trained parameter, its values at the points.
        share: do work once where all points have the same activations.

    Raises:
        Unsupported: an operation has no rule. Other errors come from the module itself.
    """
    run = Pass(points, batch_size(inputs), tracked)
    args, kwargs = arguments(folding.fold_inputs(inputs, points, run, share))
    with run:
        output = module(*args, **kwargs)
    return pytree.tree_map_only(Tensor, lambda x: _unfolded(run, x), output), run.depth


def _unfolded(run: Pass, x: Tensor) -> Tensor:
    if run.moved(x) is not None or not run.folded(x) or x.shape[:1].numel() % run.rows:
        raise Unsupported("output", "an output that does not carry the examples on axis 0")
    return run.split(run.real(x))
