"""What of a model does nothing on these examples, or normalises by other data's statistics."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from baffle.backends.torch.examples import arguments, cloned
from baffle.backends.torch.modes import evaluating
from baffle.drivers.diagnose.figures import FLOAT32_ROUNDING, Norm
from baffle.drivers.diagnose.measuring.place import Place
from baffle.drivers.diagnose.reading import Slot
from baffle.models.checks.layers import is_trained

DIRECTIONS = 8
MOST_TENSORS = 64
Look = Callable[[str, Any, Tensor, Tensor], None]
GATES = (nn.ReLU, nn.ReLU6, nn.Hardswish)  # whose output can be exactly 0 for a whole unit


def silent_tensors(place: Place, weights: Slot, radius: int) -> dict[str, int]:
    """Return the trained tensors along which the loss does not change, with their sizes.

    Only the tensor itself is moved, so that nothing of the others drowns it.

    Args:
        place: of the run.
        weights: at which.
        radius: log2 of σ.
    """
    noise = FLOAT32_ROUNDING * max(abs(place.loss(weights)), 2.0**-10) / 2.0**radius
    found = {}
    for number, (_, tensor) in enumerate(place.signature.trained[:MOST_TENSORS]):
        derivatives = place.central(
            place.full, weights, place.pooled, radius, DIRECTIONS, only=number
        )
        if np.sqrt(np.mean(derivatives**2)) < noise / 4:
            found[tensor.name] = tensor.size
    return found


def silent_units(place: Place) -> dict[str, float]:
    """Return the share of an activation's units that are 0 for all pooled examples, by module."""
    found: dict[str, float] = {}

    def look(name: str, part: Any, inputs: Tensor, output: Tensor) -> None:
        found[name] = float((_by_unit(output) == 0).all(dim=1).float().mean())

    _follow(place, GATES, look)
    return found


def batch_norms(place: Place) -> tuple[Norm, ...]:
    """Return the batch norms with frozen statistics, beside those of the pooled examples."""
    found: list[Norm] = []

    def look(name: str, part: Any, inputs: Tensor, output: Tensor) -> None:
        values = _by_unit(inputs).double()
        variance = part.running_var.double() + part.eps
        shift = ((values.mean(dim=1) - part.running_mean).abs() / variance.sqrt()).median()
        scale = (values.var(dim=1) / variance).median()
        found.append(Norm(name, not is_trained(part), float(shift), float(scale)))

    _follow(place, (_BatchNorm,), look)
    return tuple(found)


def _by_unit(values: Tensor) -> Tensor:
    """Return values [examples, unit, …] as [unit, examples · …]."""
    return values.detach().transpose(0, 1).flatten(1) if values.ndim > 1 else values[None]


def _follow(place: Place, kinds: tuple[type[nn.Module], ...], look: Look) -> None:
    """Evaluate the pooled examples once and show what goes in and out of these modules."""
    model = place.task.model

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def show(part: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor):
                look(name, part, inputs[0], output)

        return show

    with ExitStack() as stack:
        for name, part in model.named_modules():
            if isinstance(part, kinds):
                stack.callback(part.register_forward_hook(hook(name)).remove)
        args, kwargs = arguments(cloned(place.task.train.batch(place.pooled)[0]))
        with evaluating(model), torch.no_grad():
            model(*args, **kwargs)
