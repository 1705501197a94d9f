"""The slow truth: one perturbed copy of the weights at a time. Right for every module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from baffle.backends.torch.examples import arguments, cloned
from baffle.backends.torch.losses import Loss, one_loss


def output_at(module: nn.Module, weights: Mapping[str, Tensor], inputs: Any) -> Any:
    """Return the module's output with these weights in place of its own."""
    args, kwargs = arguments(inputs)
    return functional_call(module, dict(weights), args, kwargs)


def one_by_one(
    module: nn.Module, moved: Mapping[str, Tensor], batch: tuple[Any, Any], loss: Loss
) -> Iterator[tuple[Any, Tensor]]:
    """Yield (output, loss) at each of P perturbed copies: one forward pass each.

    Args:
        module: in eval mode.
        moved: weights [P, *shape] by name.
        batch: (inputs, targets); the module gets copies of the inputs.
        loss: (output, target) to the scalar mean.

    Raises:
        ProbeError: the loss is not a scalar tensor of float32 or float64.
    """
    inputs, targets = batch
    for p in range(len(next(iter(moved.values())))):
        output = output_at(module, {name: w[p] for name, w in moved.items()}, cloned(inputs))
        yield output, one_loss(loss, output, targets)
