"""What the paper's published code does, which is not what its Algorithm 1 says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from baffle.baselines.base import Answer, Knobs, Work
from baffle.baselines.draws import normals

if TYPE_CHECKING:
    from torch import Tensor

    from baffle.baselines.problem import Problem

CLIP = 0.3  # of every entry of a client's estimate; in the code, not in the paper


@dataclass(frozen=True)
class Reference:
    """g = clip_∞(1/(Kσ) Σ_k [F(θ + σ z_k; B) - F(θ; B)] z_k, 0.3), Adam on the clients' mean.

    Each client draws its own Gaussian directions: C sets where Algorithm 1 has one, so that scalars
    cannot be summed in secret. K + 1 probes of B examples; K floats go up, from which and the
    client's seed the server can make g. The weights' average moves once an epoch.

    Source: Feng et al. 2024, reference code of January 2023, batch level, forward differences.
    """

    knobs: Knobs
    follows: ClassVar[bool] = True

    def client(self, problem: Problem, work: Work) -> Answer:
        """Return the client's clipped estimate."""
        count, radius, batch = self.knobs.num_directions, self.knobs.radius, work.batch(0)
        base = problem.loss_at(work.weights, batch)
        total = work.weights.new_zeros(problem.dimension)
        for block in normals(work.generator(0), count, problem.dimension):
            losses = problem.losses(work.weights, block, batch, radius)
            total += ((losses - base) / radius).float() @ block
        probes = count + 1
        counts = (probes, probes * problem.size(batch), 0, count)
        return Answer(clipped(total / count), base, *counts)


def clipped(estimate: Tensor, limit: float = CLIP) -> Tensor:
    """Return an estimate scaled down to a largest entry of `limit`, as it is if below.

    Example:
        >>> import torch
        >>> [round(x, 3) for x in clipped(torch.tensor([0.6, -0.2])).tolist()]
        [0.3, -0.1]
    """
    largest = float(estimate.abs().max())
    return estimate if not largest > limit else estimate * (limit / largest)
