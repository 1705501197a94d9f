"""FedSGD: each client sends the gradient of one batch, the server steps against their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Knobs, Work

if TYPE_CHECKING:
    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class FedSGD:
    """g_c = ∇F_c(θ; B), one forward and one backward pass of B examples; d floats up.

    The model is in eval mode, see `FedAvg`.

    Source: McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized
    Data", AISTATS 2017, section 2.
    """

    knobs: Knobs
    follows: ClassVar[bool] = False

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return the gradient of the client's batch."""
        batch = work.batch(0)
        loss, gradient = problem.gradient(work.weights, batch)
        size = problem.size(batch)
        return Answer(gradient, loss, 1, size, size, problem.dimension)
