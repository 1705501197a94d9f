"""One plain forward pass, watched: operations, the size of their results, random numbers drawn."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Survey:
    """What a module does with a batch.

    Args:
        examples: of the batch.
        operations: how many, the loss among them.
        peak_bytes: of the largest activation.
        total_bytes: of all results.
        random: whether it drew random numbers.
    """

    examples: int
    operations: int
    peak_bytes: int
    total_bytes: int
    random: bool


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations, self.peak, self.total = 0, 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.operations += 1
            self.peak = max(self.peak, found.nbytes)
            self.total += found.nbytes
        return found


def survey(module: nn.Module, batch: tuple[Any, Any], loss: Loss) -> Survey:
    """Run the module and the loss once as they are and say what they did.

    Raises:
        ProbeError: the inputs have no common batch axis, or the loss is not a scalar tensor.
    """
    inputs, targets = batch
    examples = batch_size(inputs)
    watch = _Watch()
    with repeatable(0):
        before = generator_states()
        with watch:
            output = output_at(module, _written_to(module), cloned(inputs))
        drew = any(not torch.equal(a, b) for a, b in zip(before, generator_states(), strict=True))
    one_loss(loss, output, targets)
    taken = [x.nbytes for x in pytree.tree_leaves(inputs) if isinstance(x, Tensor)]
    peak = max(1, watch.peak, *taken)
    return Survey(examples, watch.operations + 1, peak, watch.total, drew)


def _written_to(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters that a forward pass writes to: tables with a max_norm."""
    tables = [part for part in module.modules() if getattr(part, "max_norm", None) is not None]
    owned = {id(p) for part in tables for p in part.parameters(recurse=False)}
    trained = trained_parameters(module).items()
    return {name: p.detach().clone() for name, p in trained if id(p) in owned}
