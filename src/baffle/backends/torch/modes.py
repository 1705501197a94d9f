"""Eval mode for the time of a call, and the layers that have no eval mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from baffle.errors import ModelError


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module and its parts in eval mode inside the block; each part gets its mode back."""
    training = [part for part in module.modules() if part.training]
    if training:
        module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def require_eval_statistics(module: nn.Module) -> None:
    """Refuse layers that mix the examples of a batch even in eval mode.

    Raises:
        ModelError: a batch normalisation without running statistics, by name.
    """
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm) and part.running_mean is None:
            raise ModelError(
                f"{name or 'the module'} is {type(part).__name__} without running statistics: it "
                "mixes the examples of a batch also in eval mode; convert it to GroupNorm"
            )
