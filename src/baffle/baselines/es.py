"""Evolution strategies: antithetic Gaussian directions, centred ranks of losses, Adam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Knobs, Work
from baffle.baselines.draws import normals

if TYPE_CHECKING:
    from torch import Tensor

    from baffle.baselines.problem import Problem


@dataclass(frozen=True)
class EvolutionStrategies:
    """g = 1/(2Kσ) Σ_k (r_k⁺ - r_k⁻) z_k, r the centred ranks of the 2K losses F(θ ± σ z_k; B).

    The optimiser runs on the mean of the clients' g. A client draws its own directions from a seed
    that everyone knows and sends its 2K losses; whoever sees all of them can make the step alone.
    Ranks are within one client: as published all workers are ranked together, which compares
    policies on the same task, but here would compare batches.

    Source: Salimans et al., "Evolution Strategies as a Scalable Alternative to Reinforcement
    Learning", 2017, Algorithm 2 and section 2.1.
    """

    knobs: Knobs
    follows: ClassVar[bool] = True

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return a client's part of the estimate."""
        import torch

        count, radius, batch = self.knobs.num_directions, self.knobs.radius, work.batch(0)
        found = []
        for block in normals(work.generator(0), count, problem.dimension):
            both = (problem.losses(work.weights, block, batch, s * radius) for s in (1, -1))
            found.append(torch.stack(list(both)))
        losses = torch.cat(found, dim=1)
        ranks = centred_ranks(losses.reshape(-1)).reshape(2, count)
        vector = self._weighted(problem, work, (ranks[0] - ranks[1]).float())
        examples = problem.size(batch)
        counts = (2 * count, 2 * count * examples, 0, 2 * count)
        return Answer(vector / (2 * count * radius), float(losses.mean()), *counts)

    def _weighted(self, problem: Problem, work: Work, coefficients: Tensor) -> Tensor:
        """Return Σ_k c_k z_k of the same directions, drawn again."""
        total, start = work.weights.new_zeros(problem.dimension), 0
        for block in normals(work.generator(0), len(coefficients), problem.dimension):
            total += coefficients[start : start + len(block)] @ block
            start += len(block)
        return total


def centred_ranks(values: Tensor) -> Tensor:
    """Return ranks scaled to -1/2 … 1/2, the least value at -1/2; ties by place.

    Args:
        values: [n], n ≥ 2.

    Example:
        >>> import torch
        >>> centred_ranks(torch.tensor([3.0, 9.0, 1.0])).tolist()
        [0.0, 0.5, -0.5]
    """
    import torch

    ranks = torch.empty(len(values), dtype=torch.float64)
    ranks[values.argsort(stable=True)] = torch.arange(len(values), dtype=torch.float64)
    return ranks / (len(values) - 1) - 0.5
