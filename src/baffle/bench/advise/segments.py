"""Which parts of a module a checkpointed step computes twice, and how it is made to.

torch's own `checkpoint` imports the compiler at its first call, a first autograd.Function imports
symbolic mathematics: some 80 and 34 MiB, more than the activations of many a small model. Hooks on
saved tensors do without either, so that checkpointing is not charged for what it need not load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_map_only

FEWEST = 2  # parts, below which checkpointing keeps what it would keep anyway


def checkpoint_parts(module: nn.Module) -> Sequence[nn.Module]:
    """Make a module keep only the activations between its parts, in place.

    The parts of a flat Sequential are about √n segments of its n layers, which keeps about 2√n
    activations (Chen et al., "Training deep nets with sublinear memory cost", 2016); of any other
    module they are its repeated blocks: the items of its ModuleLists and Sequentials, and its
    children that have children.

    Returns:
        The parts; none if there are fewer than two.
    """
    parts = _segments(module) if _flat(module) else _blocks(module)
    if len(parts) < FEWEST:
        return []
    for part in parts:
        part.forward = partial(twice, part.forward)  # type: ignore[method-assign]
    return parts


def _flat(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and not any(_composed(c) for c in module)


def _composed(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _segments(module: nn.Module) -> list[nn.Module]:
    """Group the layers of a flat Sequential, in place; parameters keep their identity."""
    layers = list(module.children())
    size = max(1, round(math.sqrt(len(layers))))
    parts: list[nn.Module] = [
        nn.Sequential(*layers[at : at + size]) for at in range(0, len(layers), size)
    ]
    module._modules.clear()
    module._modules.update({str(number): part for number, part in enumerate(parts)})
    return parts


def _blocks(module: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in module.children():
        held = isinstance(child, (nn.ModuleList, nn.Sequential)) and any(map(_composed, child))
        if held:
            found += [item for item in child.children() if _composed(item)]
        elif _composed(child):
            found.append(child)
    return found


def twice(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function so that its inner tensors are computed again when backward needs them.

    Args:
        forward: what gives the same result each time.
        args, kwargs: its own; they are kept.

    Example:
        >>> x = torch.tensor([0.5], requires_grad=True)
        >>> twice(lambda y: y.exp().exp(), x).backward()
        >>> bool(torch.isclose(x.grad, x.exp() * x.exp().exp()))
        True
    """
    again = _Again(forward, args, kwargs)
    with saved_tensors_hooks(again.pack, again.unpack):
        return forward(*args, **kwargs)


class _Again:
    """Numbers the tensors that a call saves, and finds them by a second call."""

    def __init__(self, forward: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.forward, self.given, self.count = forward, (args, kwargs), 0
        self.found: list[Tensor] = []

    def pack(self, tensor: Tensor) -> int:
        """Keep a number in a tensor's place."""
        self.count += 1
        return self.count - 1

    def unpack(self, number: int) -> Tensor:
        """Return the tensor that has this number in a second call, which the first one asks for."""
        if not self.found:
            args, kwargs = tree_map_only(Tensor, _apart, self.given)
            with torch.enable_grad(), saved_tensors_hooks(self._find, _never):
                self.forward(*args, **kwargs)
        return self.found[number]

    def _find(self, tensor: Tensor) -> None:
        self.found.append(tensor.detach())


def _apart(tensor: Tensor) -> Tensor:
    """Return the same numbers without their history."""
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _never(nothing: None) -> Tensor:
    raise AssertionError("nobody goes back through the second call")
