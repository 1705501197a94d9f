"""Which parts of a module a checkpointed step computes twice, and how it is made to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from torch import nn

from baffle.baselines.checkpointing import _twice as twice

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
        part.forward = partial(twice, part.forward, part)  # type: ignore[method-assign]
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
