"""The batched pass: P points folded into the batch axis, one product with the base weights.

A function mode sees every operation of the module's forward, whatever classes it is made of:
  - with a tensor that differs by point (a trained parameter or something made from one): a rule;
  - with a folded activation: as it is, on [P·B, ...], since operations treat examples alike;
  - with neither: as it is.
What is the same at every point is computed once (sharing.py), an operation without a rule goes
point after point (in_turn.py), and random ones draw once (randomness.py).
What mixes examples breaks the second assumption. Some of it is seen here (results that no longer
carry every example, values read into Python); the rest is found by the probe's check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch.examples import arguments, batch_size
from baffle.backends.torch.folding import (
    MARK,
    Fold,
    fold_inputs,
    mark,
    repeated,
    shared_rows,
    stand_in,
)
from baffle.backends.torch.in_turn import in_turn
from baffle.backends.torch.moved import Moved
from baffle.backends.torch.operations import FILLED, METADATA, READS
from baffle.backends.torch.randomness import FACTORIES, factory, random_rule
from baffle.backends.torch.rules import RULES
from baffle.backends.torch.rules.pooling import FASTER
from baffle.backends.torch.sharing import Memo, NotShared, Sharing
from baffle.backends.torch.unsupported import Unsupported, operation_name, writes

DENSE_ENTRIES = 2**26  # of a function of parameters at all points of a pass


class Pass(TorchFunctionMode):
    """One batched pass over P points and B examples.

    Args:
        points: P.
        examples: B.
        tracked: by id of a parameter, its values at the points.
        memo: of shape inference, kept between passes (see sharing.py).
        plain: leave operations as the module has them where a faster form is for torch alone.

    Attributes:
        plain: as given.
        slow: names of the operations that had no rule and went point after point.
        largest: bytes of the largest activation with all P·B rows in memory.
    """

    def __init__(
        self,
        points: int,
        examples: int,
        tracked: Mapping[int, Moved],
        memo: Memo | None = None,
        plain: bool = False,
    ) -> None:
        super().__init__()
        self.points = points
        self.rows = points * examples
        self.tracked = tracked
        self.slow: set[str] = set()
        self.largest = 0
        self.plain = plain
        self._faster = {} if plain else FASTER
        # It must not hold the pass: a cycle would keep the directions until the next collection.
        self._sharing = Sharing(points, self.rows, {} if memo is None else memo)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in METADATA:
            return func(*args, **kwargs)
        known = [k for t in _tensors((*args, *kwargs.values())) if (k := self._known(t))]
        if not known:
            return self._on_constants(func, args, kwargs)
        if any(isinstance(k, Moved) for k in known):
            return self._by_rule(func, args, kwargs)
        if draw := random_rule(func, args, kwargs):
            return draw(func, self, *args, **kwargs)
        if all(isinstance(k, Fold) and k.shared is not None for k in known):
            try:
                return self._once(func, args, kwargs)
            except NotShared:
                pass
        return self._on_folded(func, args, kwargs)

    def _known(self, x: Tensor) -> Moved | Fold | None:
        return self.tracked.get(id(x)) or x.__dict__.get(MARK)

    def _on_constants(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in FACTORIES:
            found = factory(func, self, args, kwargs)
            if found is not None:
                return found
        found = func(*args, **kwargs)
        filled = func in FILLED and self.points > 1 and found.dim() and len(found) == self.rows
        return mark(found, self) if filled else found

    def _by_rule(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in READS:
            raise Unsupported(operation_name(func), "a value that differs by point is read")
        rule = RULES.get(func)
        try:
            found = (rule or partial(_without_rule, func))(self, *args, **kwargs)
        except Unsupported:
            if not any(self.folded(x) for x in pytree.tree_leaves((args, kwargs))):
                raise
            return in_turn(self, func, args, kwargs)
        return found if self.moved(found) is not None else self._marked(func, found)

    def _once(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Do an operation on what is the same at every point once."""
        if writes(func):
            return self._written_once(func, args, kwargs)
        found, carrying = self._sharing(func, args, kwargs)
        if func in READS and not isinstance(found, (bool, int, float)):
            raise Unsupported(operation_name(func), "values of all examples are read")
        carries = iter(carrying)
        return pytree.tree_map_only(
            Tensor, lambda x: self.same_at_all(x) if next(carries) else x, found
        )

    def _written_once(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Write into a copy of the B rows, which the stand-in stands for from now on."""
        target = args[0]
        rows = self.shared(target)
        if rows is None:
            raise NotShared
        mark(target, self, rows.clone())
        self._sharing.write(func, args, kwargs)
        return target

    def _on_folded(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if func in READS:
            raise Unsupported(operation_name(func), "a value of an activation is read")
        args, kwargs = self._multiplied_out(args), self._multiplied_out(kwargs)
        found = self._faster.get(func, func)(*args, **kwargs)
        return self._marked(func, args[0] if found is None else found)

    def _multiplied_out(self, arguments: Any) -> Any:
        if all(self.shared(t) is None for t in _tensors((arguments,))):
            return arguments
        return pytree.tree_map_only(Tensor, self.real, arguments)

    def _marked(self, func: Callable, found: Any) -> Any:
        for t in _tensors((found,)):
            if self.moved(t) is not None:  # a parameter in parts
                continue
            if t.numel() % self.rows:
                raise Unsupported(operation_name(func), "its result does not carry every example")
            self.carrying(t)
        return found

    def carrying(self, x: Tensor) -> Tensor:
        """Mark a fresh tensor as carrying points and examples."""
        self.largest = max(self.largest, x.nbytes)
        return mark(x, self)

    def same_at_all(self, rows: Tensor) -> Tensor:
        """Return what stands for these rows at every point."""
        return stand_in(rows, self.points, self)

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
        return shared_rows(x)

    def real(self, x: Tensor) -> Tensor:
        """Return an activation with all P·B rows in memory."""
        rows = self.shared(x)
        if rows is None:
            return x
        self.largest = max(self.largest, self.points * rows.nbytes)
        return repeated(rows, self.points)

    def split(self, x: Tensor) -> Tensor:
        """View [P·B, ...] as [P, B, ...]."""
        return x.view(self.points, -1, *x.shape[1:])

    def axis(self, operation: str, x: Tensor) -> int:
        """Return the axis of an activation that holds points and examples.

        It is axis 0 if that holds whole points; else the first axis of P·B entries, such as in what
        a module keeps as [length, batch, width]. A shape that misleads is found by the check.

        Raises:
            Unsupported: there is no such axis.
        """
        if x.dim() and x.shape[0] % self.rows == 0:
            return 0
        axes = [axis for axis, size in enumerate(x.shape) if size == self.rows]
        if not axes:
            raise Unsupported(operation, "no axis that may hold the examples")
        return axes[0]

    def require_folded(self, operation: str, x: Any) -> None:
        """Raise Unsupported unless x is an activation with whole points on axis 0."""
        fold = self._known(x) if isinstance(x, Tensor) else None
        if not isinstance(fold, Fold) or fold.owner is not self or x.shape[0] % self.rows:
            raise Unsupported(operation, "an input that does not carry the examples on axis 0")


def _without_rule(func: Callable, run: Pass, *args: Any, **kwargs: Any) -> Any:
    return run.by_point(func, args, kwargs)


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
    module: nn.Module,
    inputs: Any,
    points: int,
    tracked: Mapping[int, Moved],
    share: bool = True,
    memo: Memo | None = None,
    plain: bool = False,
) -> tuple[Any, set[str]]:
    """Return the module's outputs [P, B, ...] in one pass, and which operations had no rule.

    Args:
        module: in eval mode, with the base weights loaded.
        inputs: a batch of B examples.
        points: P; for a single one there is a simpler way, see one_point.py.
        tracked: by id of each trained parameter, its values at the points.
        share: do work once where all points have the same activations.
        memo: of shape inference, kept between passes.
        plain: leave operations as the module has them where a faster form is for torch alone.

    Raises:
        Unsupported: an operation that no rule and no turn can take. Other errors come from the
            module itself.
    """
    run = Pass(points, batch_size(inputs), tracked, memo, plain)
    return _outputs(run, module, inputs, share), run.slow


def bytes_a_point(module: nn.Module, inputs: Any, points: int, tracked: Mapping[int, Moved]) -> int:
    """Return what the largest activation that is held for every point takes for one of them.

    More than what differs between points where an operation has to see the rows of all of them.

    Args:
        module, inputs, points, tracked: as for `outputs_at`, and it raises the same.
    """
    run = Pass(points, batch_size(inputs), tracked)
    _outputs(run, module, inputs, True)
    return run.largest // points


def _outputs(run: Pass, module: nn.Module, inputs: Any, share: bool) -> Any:
    args, kwargs = arguments(fold_inputs(inputs, run.points, run, share))
    with run:
        output = module(*args, **kwargs)
    return pytree.tree_map_only(Tensor, lambda x: _unfolded(run, x), output)


def _unfolded(run: Pass, x: Tensor) -> Tensor:
    if run.moved(x) is None and not run.folded(x):
        return x.expand(run.points, *x.shape)  # made of constants alone: the same at every point
    x = run.real(x)
    axis = run.axis("output", x)
    return x.unflatten(axis, (run.points, -1)).movedim(axis, 0)
