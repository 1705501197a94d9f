"""FedAvg with gradient checkpointing: the same numbers, less memory, one more forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from baffle.baselines.base import Batch
from baffle.baselines.fedavg import FedAvg

if TYPE_CHECKING:
    from torch import Tensor

    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class FedAvgCheckpointed(FedAvg):
    """FedAvg that keeps the activations between a model's pieces and computes the others twice.

    Two forward passes a step are counted, though layers outside the pieces are computed once; one
    where the model has no pieces (`baffle.models.segments`), which is FedAvg itself.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    def passes(self, problem: Problem) -> int:
        """Return forward passes of a step."""
        return 2 if problem.pieces else 1

    def gradient(self, problem: Problem, weights: Tensor, batch: Batch) -> tuple[float, Tensor]:
        """Return loss and gradient, by checkpointed segments."""
        return problem.gradient(weights, batch, checkpointed=True)
