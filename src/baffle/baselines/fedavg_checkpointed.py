"""FedAvg with gradient checkpointing: the same numbers, less memory, one more forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Batch
from baffle.baselines.fedavg import FedAvg

if TYPE_CHECKING:
    from torch import Tensor

    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class FedAvgCheckpointed(FedAvg):
    """FedAvg that keeps the activations of about √L layers and computes the others twice.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    passes: ClassVar[int] = 2

    def gradient(self, problem: Problem, weights: Tensor, batch: Batch) -> tuple[float, Tensor]:
        """Return loss and gradient, by checkpointed segments."""
        return problem.gradient(weights, batch, checkpointed=True)
