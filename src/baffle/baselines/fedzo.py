"""FedZO: H local steps of a zeroth-order estimate over directions on the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Knobs, Work
from baffle.baselines.draws import normals, on_sphere

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from baffle.baselines.base import Batch
    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class FedZO:
    """x ← x - η e, e = d/(μ b₂) Σ_j [F(x + μ v_j; B) - F(x; B)] v_j, H times; up goes x_H - x.

    μ is `probe.radius`, b₂ `probe.num_directions`, b₁ = |B| `probe.batch`, H
    `probe.num_local_steps`; v_j uniform on the unit sphere, drawn by each client for itself, anew
    at each step. H (b₂ + 1) probes a round, d floats up; the server adds the unweighted mean.

    Source: Fang et al., "Communication-Efficient Stochastic Zeroth-Order Optimization for Federated
    Learning", IEEE TSP 2022, Algorithm 1 and equation (3).
    """

    knobs: Knobs
    follows: ClassVar[bool] = False

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return the change of the client's weights over its local steps."""
        k, weights, losses, examples = self.knobs, work.weights, 0.0, 0
        for step in range(k.num_local_steps):
            batch = work.batch(step)
            loss, estimate = self.estimate(problem, weights, batch, work.generator(step))
            weights = weights - work.step_size * estimate
            losses, examples = losses + loss, examples + problem.size(batch)
        change, mean = weights - work.weights, losses / k.num_local_steps
        probes = k.num_directions + 1
        counts = (k.num_local_steps * probes, probes * examples, 0, problem.dimension)
        return Answer(change, mean, *counts)

    def estimate(
        self, problem: Problem, weights: Tensor, batch: Batch, generator: Generator
    ) -> tuple[float, Tensor]:
        """Return F at x and e, float32 [d]."""
        count, radius = self.knobs.num_directions, self.knobs.radius
        base = problem.loss_at(weights, batch)
        total = weights.new_zeros(problem.dimension)
        for normal in normals(generator, count, problem.dimension):
            directions = on_sphere(normal)
            losses = problem.losses(weights, directions, batch, radius)
            total += (losses - base).float() @ directions
        return base, total * (problem.dimension / (radius * count))
