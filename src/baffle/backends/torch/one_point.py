"""A pass of one point: each operation gets the point's own parameters, made when it asks for them.

It is the module's own forward pass in every respect, with one perturbed tensor in memory at a time
instead of a second copy of the weights; and a linear layer's matrix is not even made, since its
correction takes less. This is how a probe keeps to the memory of plain inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from baffle.backends.torch.examples import arguments, cloned, in_parts
from baffle.backends.torch.moved import Moved
from baffle.backends.torch.operations import METADATA
from baffle.backends.torch.randomness import repeatable
from baffle.backends.torch.rules.matrix import rows_at_points
from baffle.backends.torch.rules.pooling import FASTER

KEPT_ENTRIES = 2**14  # of a tensor that is kept for its next use: a recurrent cell's, a bias


class OnePoint(TorchFunctionMode):
    """Hand out perturbed parameters.

    Args:
        tracked: by id of a parameter, its values at the one point.
    """

    def __init__(self, tracked: Mapping[int, Moved]) -> None:
        super().__init__()
        self.tracked = tracked
        self._kept: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.linear and (found := self._linear(*args, **kwargs)) is not None:
            return found
        if func not in METADATA and self._asks((*args, *kwargs.values())):
            args, kwargs = pytree.tree_map_only(Tensor, self._moved, (args, kwargs))
        return FASTER.get(func, func)(*args, **kwargs)

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:  # noqa: A002
        """Return the product as for many points, without the perturbed matrix; None if not so."""
        moved = self.tracked.get(id(weight))
        if moved is None or id(input) in self.tracked or input.dim() < 2 or weight.dim() != 2:
            return None
        bias = None if bias is None else self._moved(bias)
        rows = input.reshape(1, -1, input.shape[-1])
        return rows_at_points(rows, moved.base, moved.delta, bias).view(*input.shape[:-1], -1)

    def _asks(self, values: Any) -> bool:
        """Say whether a trained parameter is among the arguments, also in lists and dicts."""
        for x in values:
            if isinstance(x, Tensor) and id(x) in self.tracked:
                return True
            inner = x.values() if isinstance(x, dict) else x
            if isinstance(x, (list, tuple, dict)) and self._asks(inner):
                return True
        return False

    def _moved(self, x: Tensor) -> Tensor:
        moved = self.tracked.get(id(x))
        if moved is None:
            return x
        if id(x) in self._kept:
            return self._kept[id(x)]
        found = moved.at(0)
        if found.numel() <= KEPT_ENTRIES:
            self._kept[id(x)] = found
        return found


def at_one_point(
    module: nn.Module, inputs: Any, tracked: Mapping[int, Moved], split: int = 0
) -> Any:
    """Return the module's outputs [1, B, ...] at one point.

    Args:
        module: in eval mode.
        inputs: a batch of B examples; the module gets copies.
        tracked: by id of each trained parameter, its values at the point.
        split: examples at a time, 0 for all.
    """

    def run(part: Any) -> Any:
        args, kwargs = arguments(part)
        return module(*args, **kwargs)

    with OnePoint(tracked):
        output = in_parts(run, inputs, split) if split else run(cloned(inputs))
    return pytree.tree_map_only(Tensor, lambda x: x.unsqueeze(0), output)


def leaks(module: nn.Module, inputs: Any, tracked: Mapping[int, Moved], seed: int | None) -> bool:
    """Say whether anything gets at a trained parameter past the hands above.

    It takes the place of a comparison with the slow truth, which needs a second copy of the
    weights: where every operation gets the point's own parameters, the pass is the truth itself.
    A second pass finds nothing but NaN in the parameters' place, and must come to the same outputs.
    """

    def outputs() -> list[Any]:
        with repeatable(seed):
            return pytree.tree_leaves(at_one_point(module, inputs, tracked))

    expected = outputs()
    parameters = [p for p in module.parameters() if id(p) in tracked]
    own = [p.data for p in parameters]
    try:
        for p in parameters:
            p.data = p.new_full((1,) * p.dim(), math.nan).expand(p.shape)
        found = outputs()
    except Exception:  # such as of an operation that wants its weights in one piece
        return True
    finally:
        for p, data in zip(parameters, own, strict=True):
            p.data = data
    pairs = zip(expected, found, strict=True)
    return not all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))


def parts_differ(
    module: nn.Module, inputs: Any, tracked: Mapping[int, Moved], split: int, within: float
) -> bool:
    """Say whether parts of a batch come to other outputs than the whole, by more than `within`."""
    whole = pytree.tree_leaves(at_one_point(module, inputs, tracked))
    parts = pytree.tree_leaves(at_one_point(module, inputs, tracked, split))
    pairs = [(a, b) for a, b in zip(whole, parts, strict=True) if isinstance(a, Tensor)]
    return any(
        a.shape != b.shape or not torch.allclose(a, b, rtol=within, atol=within) for a, b in pairs
    )
