"""A module whose inner activations are computed twice instead of kept.

torch's own `checkpoint` does the same and takes any arguments, but imports the compiler at its
first call: a second, and more memory than a small model's activations. It serves here only for
parts that take more than one tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Forward = Callable[..., Any]


class Checkpointed:
    """Turns checkpointing of a module on and off; its numbers stay the same bits.

    A Sequential goes by ⌈√L⌉ segments of its L layers, of which only the inputs are kept; any other
    module goes by its children.

    Args:
        module: gets other forward functions while checkpointing is on.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, section 4.
    """

    def __init__(self, module: nn.Module) -> None:
        if isinstance(module, nn.Sequential):
            self._parts: dict[nn.Module, Forward] = {module: _by_segments(module)}
        else:
            children = list(module.children()) or [module]
            self._parts = {part: partial(_twice, part.forward, part) for part in children}

    @contextmanager
    def on(self) -> Iterator[None]:
        """Checkpoint forward passes inside the block; backward passes may come after it."""
        for part, forward in self._parts.items():
            part.forward = forward  # type: ignore[method-assign]
        try:
            yield
        finally:
            for part in self._parts:
                del part.forward  # the class's own is there again


def _by_segments(module: nn.Sequential) -> Forward:
    layers = list(module)
    length = math.ceil(len(layers) / math.ceil(math.sqrt(len(layers))))
    segments = [nn.Sequential(*layers[i : i + length]) for i in range(0, len(layers), length)]

    def forward(inputs: Any) -> Any:
        for segment in segments:
            inputs = _twice(segment, segment, inputs)
        return inputs

    return forward


def _twice(forward: Forward, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    if len(args) != 1 or kwargs or not isinstance(args[0], Tensor):
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)
    trained = [p for p in module.parameters() if p.requires_grad]
    return _Twice.apply(forward, args[0], *trained)


class _Twice(torch.autograd.Function):
    """y = f(x), of which only x is kept; f is computed again for its derivatives."""

    @staticmethod
    def forward(ctx: Any, f: Forward, x: Tensor, *trained: Tensor) -> Tensor:
        ctx.f, ctx.trained = f, trained
        ctx.save_for_backward(x)
        output: Tensor = f(x)
        return output

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (kept,) = ctx.saved_tensors
        x = kept.detach()
        with torch.enable_grad():
            wanted = [x.requires_grad_(), *ctx.trained] if ctx.needs_input_grad[1] else ctx.trained
            output = ctx.f(x)
            found = torch.autograd.grad(output, wanted, outer, allow_unused=True)
        return (None, *found) if ctx.needs_input_grad[1] else (None, None, *found)
