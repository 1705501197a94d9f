"""FedAvg: each client takes H steps of SGD by itself, the server averages what they came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Batch, Knobs, Work

if TYPE_CHECKING:
    from torch import Tensor

    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class FedAvg:
    """θ_h+1 = θ_h - η ∇F_c(θ_h; B_h), h < H; d floats up, θ_H - θ_0.

    H is `probe.num_local_steps`, B `probe.batch`, η the round's step size; each local step draws
    its own batch. One forward and one backward pass of B examples a step.

    Source: McMahan et al., AISTATS 2017, Algorithm 1, with two differences: local work is counted
    in batches, not epochs; and the model is in eval mode, as for every algorithm here, so that
    batch norm keeps the statistics that came with it and dropout drops nothing.
    """

    knobs: Knobs
    follows: ClassVar[bool] = False

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return the change of the client's weights over its local steps."""
        weights, losses, examples = work.weights, 0.0, 0
        for step in range(self.knobs.num_local_steps):
            batch = work.batch(step)
            loss, gradient = self.gradient(problem, weights, batch)
            weights = weights - work.step_size * gradient
            losses, examples = losses + loss, examples + problem.size(batch)
        count = self.knobs.num_local_steps
        change = weights - work.weights
        forward = self.passes(problem) * examples
        return Answer(change, losses / count, count, forward, examples, problem.dimension)

    def passes(self, problem: Problem) -> int:
        """Return forward passes of a step."""
        return 1

    def gradient(self, problem: Problem, weights: Tensor, batch: Batch) -> tuple[float, Tensor]:
        """Return loss and gradient."""
        return problem.gradient(weights, batch)
