"""Points one after another, each as plain inference with its own weights in the parameters' place.

The other way to be fast: where a batch is large, writing all weights once a point costs little
beside a forward pass, and the pass itself is the module's own, without a correction or a watcher.
The parameters' memory is never written to. For the time of a call each parameter points at scratch
memory, and it points at its own again however the call ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def write_point(
    into: Mapping[str, Tensor], bases: Mapping[str, Tensor], deltas: Mapping[str, Delta], point: int
) -> None:
    """Write theta + perturbation of one point, each entry rounded once."""
    for name, base in bases.items():
        delta, target = deltas[name], into[name]
        if isinstance(delta, Tensor) and delta.dtype == base.dtype:
            torch.add(base, delta[point], out=target)
        elif isinstance(delta, Tensor) or not base.is_contiguous():
            target.copy_(Moved(base, delta).at(point))
        else:
            out, right = delta.out[point].unsqueeze(1), delta.right_at(point).unsqueeze(0)
            torch.addcmul(base.view(len(out), -1), out, right, out=target.view(len(out), -1))
