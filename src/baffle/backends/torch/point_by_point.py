"""Points one after another, each as plain inference with its own weights in the parameters' place.

The other way to be fast: where a batch is large, writing all weights once a point costs little
beside a forward pass, and the pass itself is the module's own, without a correction or a watcher.
The parameters' memory is never written to. For the time of a call each parameter points at scratch
memory, and it points at its own again however the call ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from baffle.backends.torch.moved import Delta, Moved


@contextmanager
def scratch(parameters: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Point each parameter at fresh memory inside the block; yields that memory by name."""
    own = {name: p.data for name, p in parameters.items()}
    fresh = {name: torch.empty_like(data) for name, data in own.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = fresh[name]
        yield fresh
    finally:
        for name, parameter in parameters.items():
            parameter.data = own[name]


class Writer:
    """Writes theta + perturbation of one point after another, each entry rounded once.

    Args:
        into, bases: scratch memory and theta, by name.
        deltas: what is added, at some points.
    """

    def __init__(
        self, into: Mapping[str, Tensor], bases: Mapping[str, Tensor], deltas: Mapping[str, Delta]
    ) -> None:
        self._sums: list[tuple[Tensor, Tensor, tuple[Tensor, ...]]] = []
        self._products: list[tuple[Tensor, Tensor, Sequence[Tensor], Sequence[Tensor]]] = []
        self._others: list[tuple[Tensor, Moved]] = []
        for name, base in bases.items():
            self._add(into[name], base, deltas[name])

    def _add(self, target: Tensor, base: Tensor, delta: Delta) -> None:
        if isinstance(delta, Tensor) and delta.dtype == base.dtype:
            self._sums.append((target, base, delta.unbind(0)))
        elif isinstance(delta, Tensor) or not base.is_contiguous():
            self._others.append((target, Moved(base, delta)))
        else:
            rows = base.shape[0]
            out, right = delta.out.unsqueeze(2), delta.right.flatten(1).unsqueeze(1)
            flat = target.view(rows, -1), base.view(rows, -1)
            self._products.append((*flat, out.unbind(0), right.unbind(0)))

    def write(self, point: int) -> None:
        """Write one of the points."""
        for target, base, added in self._sums:
            torch.add(base, added[point], out=target)
        for target, base, out, right in self._products:
            torch.addcmul(base, out[point], right[point], out=target)
        for target, moved in self._others:
            target.copy_(moved.at(point))
