"""Forward gradient: exact derivatives along random directions, by forward-mode autodiff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Knobs, Work
from baffle.baselines.draws import normals, signs

if TYPE_CHECKING:
    from baffle.baselines.problem import Problem

DRAWS = {"gaussian": normals, "rademacher": signs}


@dataclass(frozen=True)
class ForwardGradient:
    """g = 1/K Σ_k (∇F(θ; B)·z_k) z_k, no radius and no activations kept.

    Needs a module that torch can differentiate forward. Each client draws its own directions from a
    seed that everyone knows, and sends K floats. A derivative costs a forward pass with tangents,
    counted as one pass and as one differentiation of B examples.

    Source: Baydin et al., "Gradients without Backpropagation", 2022, Algorithm 1, averaged over K.
    """

    knobs: Knobs
    follows: ClassVar[bool] = True

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return the client's estimate."""
        k, batch, loss = self.knobs, work.batch(0), 0.0
        total = work.weights.new_zeros(problem.dimension)
        for block in DRAWS[k.directions](work.generator(0), k.num_directions, problem.dimension):
            loss, derivatives = problem.derivatives(work.weights, block, batch)
            total += derivatives @ block
        examples = k.num_directions * problem.size(batch)
        counts = (k.num_directions, examples, examples, k.num_directions)
        return Answer(total / k.num_directions, loss, *counts)
