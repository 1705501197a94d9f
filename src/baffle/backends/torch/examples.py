"""What a probe asks of a data set, and how a module is called with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.errors import ProbeError


class Examples(Protocol):
    """Numbered examples. Inputs are a tensor, a tuple or a dict of tensors, batch on axis 0."""

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return (inputs, targets) of these examples, in this order."""
        ...


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and keyword arguments: a tuple is spread, a dict is by name."""
    if isinstance(inputs, dict):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


def cloned(inputs: Any) -> Any:
    """Return a copy, which a module may write into without spoiling the data set."""
    return pytree.tree_map_only(Tensor, torch.clone, inputs)


def batch_size(inputs: Any) -> int:
    """Return the length of axis 0 that all input tensors share.

    Raises:
        ProbeError: there is no input tensor, or their first axes differ.
    """
    leaves = [x for x in pytree.tree_leaves(inputs) if isinstance(x, Tensor)]
    sizes = {x.shape[0] if x.dim() else None for x in leaves}
    if len(sizes) != 1 or None in sizes:
        shapes = [tuple(x.shape) for x in leaves]
        raise ProbeError(f"expected input tensors with one batch size on axis 0, got {shapes}")
    return int(leaves[0].shape[0])


def in_parts(run: Callable[[Any], Any], inputs: Any, size: int) -> Any:
    """Return run(inputs), on `size` examples at a time, as one output.

    Args:
        run: inputs of some examples to outputs, batch on axis 0.
        inputs: of B examples; `run` gets copies.
        size: 1 or more.

    Raises:
        ProbeError: what is no tensor in the outputs differs between the parts.
    """
    total = batch_size(inputs)
    if size >= total:
        return run(cloned(inputs))
    found = [run(_part(inputs, start, start + size)) for start in range(0, total, size)]
    flat = [pytree.tree_flatten(output) for output in found]
    leaves = [_one(list(each)) for each in zip(*(leaves for leaves, _ in flat), strict=True)]
    return pytree.tree_unflatten(leaves, flat[0][1])


def _part(inputs: Any, start: int, stop: int) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[start:stop].clone(), inputs)


def _one(each: list[Any]) -> Any:
    if isinstance(each[0], Tensor):
        return torch.cat(each)
    if any(x != each[0] for x in each[1:]):
        raise ProbeError(f"expected the same {each[0]!r} for all examples, got {each}")
    return each[0]
