"""Losses at many vectors of weights that have nothing in common: no shared product, no factors.

Small models go through `torch.func.vmap`, some at once; where a module has convolutions, whose
mapped form on a CPU is a slow grouped convolution, the vectors go one by one through the module
itself. Which, is decided by the model's form alone, so that a run repeats.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from baffle.baselines.base import Batch

CHUNK_BYTES = 2 << 20  # of perturbed weights at once: a mapped call costs 0.4 ms whatever its size
MOST = 256


class DenseLosses:
    """F(θ + s·v_p) for rows v_p.

    Args:
        module: whose form decides.
        buffer: float32 [d], of which the module's parameters are views.
        forward: batch to the loss at what the buffer holds.
        functional: θ and batch to the loss, for vmap.
    """

    def __init__(
        self,
        module: nn.Module,
        buffer: Tensor,
        forward: Callable[[Batch], Tensor],
        functional: Callable[[Tensor, Batch], Tensor],
    ) -> None:
        self._buffer, self._forward = buffer, forward
        self.chunk = max(1, min(MOST, CHUNK_BYTES // (4 * len(buffer))))
        self._held = torch.empty(0)
        self._mapped = torch.func.vmap(functional, in_dims=(0, None))
        self.mapped = self.chunk > 1 and all(p.dim() <= 2 for p in module.parameters())

    def __call__(self, weights: Tensor, moves: Tensor, batch: Batch, scale: float) -> Tensor:
        """Return the losses, float64 [P]."""
        with torch.no_grad():
            if not self.mapped:
                return self._one_by_one(weights, moves, batch, scale)
            return self._at_once(weights, moves, batch, scale)

    def _at_once(self, weights: Tensor, moves: Tensor, batch: Batch, scale: float) -> Tensor:
        if not len(self._held):
            self._held = torch.empty(self.chunk, len(weights))
        found = []
        for part in moves.split(self.chunk):
            at = torch.add(weights, part, alpha=scale, out=self._held[: len(part)])
            found.append(self._mapped(at, batch).to(torch.float64))
        return torch.cat(found)

    def _one_by_one(self, weights: Tensor, moves: Tensor, batch: Batch, scale: float) -> Tensor:
        found = torch.empty(len(moves), dtype=torch.float64)
        for place, move in enumerate(moves):
            torch.add(weights, move, alpha=scale, out=self._buffer)
            found[place] = self._forward(batch)
        return found
