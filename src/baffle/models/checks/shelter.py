"""Looking at a module at work without leaving a trace on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How a module is called with copies of inputs: a tuple is spread, a dict is by name.

    Example:
        >>> arguments((1, 2)), arguments({"x": 1})
        (((1, 2), {}), ((), {'x': 1}))
    """
    inputs = pytree.tree_map_only(Tensor, torch.clone, inputs)
    if isinstance(inputs, dict):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def is_scripted(part: nn.Module) -> bool:
    """Whether a module is TorchScript, whose inside is hidden and whose buffers stay its own.

    Example:
        >>> is_scripted(nn.ReLU())
        False
    """
    return isinstance(part, torch.jit.ScriptModule)


@contextmanager
def sheltered(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Eval mode on copies of the buffers, without warnings; afterwards everything is as before.

    Random states come back as well. What a module keeps in plain Python attributes is its own.

    Returns:
        The copies, by first name.

    Example:
        >>> layer = nn.BatchNorm1d(2)
        >>> with sheltered(layer) as buffers:
        ...     _ = buffers["running_mean"].add_(1)
        ...     assert not layer.training
        >>> layer.running_mean.tolist(), layer.training
        ([0.0, 0.0], True)
    """
    modes = [(part, part.training) for part in module.modules()]
    holders = [(part, dict(part._buffers)) for part, _ in modes if not is_scripted(part)]
    copies = {id(b): b.detach().clone() for b in module.buffers()}
    devices = sorted({p.device.index for p in module.parameters() if p.device.type == "cuda"})
    module.eval()
    try:
        with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for part, buffers in holders:
                held = {n: b for n, b in buffers.items() if b is not None}
                part._buffers.update({n: copies[id(b)] for n, b in held.items()})
            yield dict(module.named_buffers())
    finally:
        for part, training in modes:
            part.training = training
        for part, buffers in holders:
            part._buffers.clear()
            part._buffers.update(buffers)
