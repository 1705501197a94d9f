"""One plain forward pass, watched: operations, the size of their results, random numbers drawn.

What a frozen beginning makes is the same at every point, so the batched pass computes it once
(sharing.py). How many points a pass takes, and whether it is worth batching, must go by the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.examples import batch_size, cloned
from baffle.backends.torch.losses import Loss, one_loss
from baffle.backends.torch.one_by_one import output_at
from baffle.backends.torch.randomness import generator_states, repeatable
from baffle.backends.torch.unsupported import writes

MARK = "_baffle_survey"


@dataclass(frozen=True)
class Survey:
    """What a module does with a batch.

    Args:
        examples: of the batch.
        operations: how many, the loss among them.
        peak_bytes: of the largest activation.
        total_bytes: of all results.
        random: whether it drew random numbers.
        moved_peak, moved_total: the same of what differs between points: results that depend on a
            trained parameter, and in the peak the activations that they are made from. Equal to the
            others where nothing is frozen.
    """

    examples: int
    operations: int
    peak_bytes: int
    total_bytes: int
    random: bool
    moved_peak: int
    moved_total: int


class _Watch(TorchFunctionMode):
    def __init__(self, trained: Iterable[Tensor], inputs: Iterable[Tensor]) -> None:
        super().__init__()
        self.operations, self.peak, self.total = 0, 0, 0
        self.moved_peak, self.moved_total = 0, 0
        self._trained = {id(p) for p in trained}
        for x in inputs:
            _mark(x, False)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        if isinstance(found, Tensor):
            self.operations += 1
            self.peak = max(self.peak, found.nbytes)
            self.total += found.nbytes
        taken = _tensors((args, kwargs))
        moves = any(id(x) in self._trained or _moved(x) for x in taken)
        made = _tensors(found)
        if writes(func) and taken:
            made.append(taken[0])
        for x in made:
            _mark(x, moves)
        if moves and isinstance(found, Tensor):
            sizes = [x.nbytes for x in taken if _moved(x) is not None]
            self.moved_peak = max(self.moved_peak, found.nbytes, *sizes)
            self.moved_total += found.nbytes
        return found


def _tensors(values: Any) -> list[Tensor]:
    return [x for x in pytree.tree_leaves(values) if isinstance(x, Tensor)]


def _mark(x: Tensor, moved: bool) -> None:
    """Say of an activation whether it depends on a trained parameter; once it does, it stays so."""
    if not isinstance(x, nn.Parameter):
        x.__dict__[MARK] = moved or bool(_moved(x))


def _moved(x: Tensor) -> bool | None:
    """Return what the mark says; None for what is no activation, such as a weight or a buffer."""
    return x.__dict__.get(MARK)


def survey(module: nn.Module, batch: tuple[Any, Any], loss: Loss) -> Survey:
    """Run the module and the loss once as they are and say what they did.

    Raises:
        ProbeError: the inputs have no common batch axis, or the loss is not a scalar tensor.
    """
    inputs, targets = batch
    examples = batch_size(inputs)
    copies, own = _written_to(module), cloned(inputs)
    watch = _Watch([*trained_parameters(module).values(), *copies.values()], _tensors(own))
    with repeatable(0):
        before = generator_states()
        with watch:
            output = output_at(module, copies, own)
        drew = any(not torch.equal(a, b) for a, b in zip(before, generator_states(), strict=True))
    one_loss(loss, output, targets)
    peak = max(1, watch.peak, *(x.nbytes for x in _tensors(inputs)))
    moved = (peak, watch.total)
    if any(not p.requires_grad for p in module.parameters()):
        moved = (max(1, watch.moved_peak), watch.moved_total)
    return Survey(examples, watch.operations + 1, peak, watch.total, drew, *moved)


def _written_to(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters that a forward pass writes to: tables with a max_norm."""
    tables = [part for part in module.modules() if getattr(part, "max_norm", None) is not None]
    owned = {id(p) for part in tables for p in part.parameters(recurse=False)}
    trained = trained_parameters(module).items()
    return {name: p.detach().clone() for name, p in trained if id(p) in owned}
