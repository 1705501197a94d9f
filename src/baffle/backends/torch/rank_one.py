"""The batched pass: P points folded into the batch axis, one product with the base weights.

A function mode sees every operation of the module's forward, whatever classes it is made of:
  - with a tensor that differs by point (a trained parameter or something made from one): a rule;
  - with a folded activation: as it is, on [P·B, ...], since operations treat examples alike;
  - with neither: as it is.
What mixes examples breaks the second assumption. Some of it is seen here (results that no longer
carry every example, values read into Python); the rest is found by the probe's check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch.examples import arguments, batch_size
from baffle.backends.torch.folding import MARK, Fold, fold_inputs, mark, repeated, stand_in
from baffle.backends.torch.moved import Moved
from baffle.backends.torch.operations import METADATA, READS
from baffle.backends.torch.rules import RULES
from baffle.backends.torch.sharing import on_rows
from baffle.backends.torch.unsupported import Unsupported, operation_name, writes

DENSE_ENTRIES = 2**26  # of a function of parameters at all points of a pass


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

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in METADATA:
            return func(*args, **kwargs)
        folded = False
        for tensor in _tensors((*args, *kwargs.values())):
            known = self._known(tensor)
            if isinstance(known, Moved):
                return self._by_rule(func, args, kwargs)
            folded = folded or known is not None
        return self._on_folded(func, args, kwargs) if folded else func(*args, **kwargs)

    def _known(self, x: Tensor) -> Moved | Fold | None:
        return self.tracked.get(id(x)) or x.__dict__.get(MARK)

    def _by_rule(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in READS:
            raise Unsupported(operation_name(func), "a value that differs by point is read")
        rule = RULES.get(func)
        if rule is None:
            return self.by_point(func, args, kwargs)
        found = rule(self, *args, **kwargs)
        return found if self.moved(found) is not None else self._marked(func, found)

    def _on_folded(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in READS:
            raise Unsupported(operation_name(func), "a value of an activation is read")
        rows = self.shared(args[0]) if args and isinstance(args[0], Tensor) else None
        if rows is not None and not kwargs and not any(True for _ in _tensors(args[1:])):
            found = on_rows(func, rows, args[1:], self.rows)
            if found is not None:
                return stand_in(found, self.points, self)
        args, kwargs = self._multiplied_out(args), self._multiplied_out(kwargs)
        found = func(*args, **kwargs)
        return self._marked(func, args[0] if found is None else found)

    def _multiplied_out(self, arguments: Any) -> Any:
        if all(self.shared(t) is None for t in _tensors((arguments,))):
            return arguments
        return pytree.tree_map_only(Tensor, self.real, arguments)

    def _marked(self, func: Callable, found: Any) -> Any:
        for t in _tensors((found,)):
            if t.numel() % self.rows:
                raise Unsupported(operation_name(func), "its result does not carry every example")
            mark(t, self)
        return found

    def moved(self, x: Any) -> Moved | None:
        """Return the values by point of a parameter, or of what is made from one; else None."""
        known = self._known(x) if isinstance(x, Tensor) else None
        return known if isinstance(known, Moved) else None

    def folded(self, x: Any) -> bool:
        """Say whether a tensor carries points and examples."""
        return isinstance(x, Tensor) and isinstance(self._known(x), Fold)

    def keep(self, moved: Moved) -> Tensor:
        """Return the tensor by which the module knows values by point that a rule made."""
        moved.base.__dict__[MARK] = moved
        return moved.base

    def by_point(self, func: Callable, args: tuple, options: dict) -> Any:
        """Evaluate a function of parameters and constants at each point.

        Raises:
            Unsupported: activations take part, it writes into a parameter, or it is too large.
        """
        name = operation_name(func)
        flat, spec = pytree.tree_flatten((args, options))
        if any(self.folded(x) for x in flat):
            raise Unsupported(name, "no rule for a weight that differs by point")
        if writes(func) or "out" in options:
            raise Unsupported(name, "it writes into a parameter")
        moved = {i: m for i, x in enumerate(flat) if (m := self.moved(x)) is not None}
        if self.points * max(m.base.numel() for m in moved.values()) > DENSE_ENTRIES:
            raise Unsupported(name, "a function of a large weight")

        def at(values: dict[int, Tensor]) -> Any:
            filled = [values.get(i, x) for i, x in enumerate(flat)]
            a, o = pytree.tree_unflatten(filled, spec)
            return func(*a, **o)

        base = at({i: m.base for i, m in moved.items()})
        if not isinstance(base, Tensor):
            raise Unsupported(name, "no rule for a weight that differs by point")
        values = torch.vmap(at)({i: m.values for i, m in moved.items()})
        return self.keep(Moved(base.detach(), values - base))

    def shared(self, x: Tensor) -> Tensor | None:
        """Return the B rows of an activation that is the same at all points, else None."""
        fold = x.__dict__.get(MARK)
        return fold.shared if isinstance(fold, Fold) else None

    def real(self, x: Tensor) -> Tensor:
        """Return an activation with all P·B rows in memory."""
        rows = self.shared(x)
        return x if rows is None else repeated(rows, self.points)

    def split(self, x: Tensor) -> Tensor:
        """View [P·B, ...] as [P, B, ...]."""
        return x.view(self.points, -1, *x.shape[1:])

    def require_folded(self, operation: str, x: Any) -> None:
        """Raise Unsupported unless x is an activation with whole points on axis 0."""
        fold = self._known(x) if isinstance(x, Tensor) else None
        if not isinstance(fold, Fold) or fold.owner is not self or x.shape[0] % self.rows:
            raise Unsupported(operation, "an input that does not carry the examples on axis 0")


def _tensors(arguments: Iterable[Any]) -> Iterable[Tensor]:
    """Yield the tensors among arguments, also those in lists, tuples and dicts."""
    for a in arguments:
        if isinstance(a, Tensor):
            yield a
        elif isinstance(a, (list, tuple)):
            yield from _tensors(a)
        elif isinstance(a, dict):
            yield from _tensors(a.values())


def outputs_at(
    module: nn.Module, inputs: Any, points: int, tracked: Mapping[int, Moved], share: bool = True
) -> Any:
    """Return the module's outputs [P, B, ...] in one pass.

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
    args, kwargs = arguments(fold_inputs(inputs, points, run, share))
    with run:
        output = module(*args, **kwargs)
    return pytree.tree_map_only(Tensor, lambda x: _unfolded(run, x), output)


def _unfolded(run: Pass, x: Tensor) -> Tensor:
    run.require_folded("output", x)
    x = run.real(x)
    return x.unflatten(0, (run.points, -1))
