"""Radii by row and column in the linear regime: what they would gain, and what is left of it.

    python -m experiments.mnist.by_axis tensor|axes|exact|measured [millions] [step size] [key]

LeNet as in `ours`. With s the radius of an entry over the reference radius, an estimate's
squared error is Σ 1/s² · Σ s² E[g²] / K, least at s ∝ E[g²]^(−1/4). A rank-one direction stays
rank-one if s is a product over a tensor's axes, so that E[g²] is taken as the product of its means
by axis. `tensor`, `axes` and `exact` know the gradients' own sizes; `measured` has them from the
estimates, whose noise is known and subtracted, and trusts a mean only beyond two of its standard
errors. Radii are powers of two, as a run's are, but for `exact`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from baffle.algorithms import SCHEDULES
from baffle.backends.torch.ops import TorchOps
from baffle.updates import UpdateSpec
from experiments.fewer.linear import SOME, Problem, Slot, problem_for

CLIENTS, BATCH, CANDIDATES, DIRECTIONS = 10, 1, 16, 240
EVERY, BEFORE = 4, 20  # rounds between new radii, and before the first
KEEP = 0.998  # of the means of squares
LOG_MOST = 3  # of an axis
WAYS = ("tensor", "axes", "exact", "measured")
UPDATE = UpdateSpec("adam_by_tensor", 0.9, 0.99, average=0.995, normalised=True)


class Sizes:
    """Mean squares by tensor and axis, each with its variance."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

    def add(self, name: str, squares: Tensor, variances: Tensor, keep: float) -> None:
        """Take squares and their variances into the means; axis −1 is the whole tensor."""
        for axis in (-1, *(range(squares.dim()) if squares.dim() > 1 else ())):
            mean, error = _over(squares, axis), _over(variances, axis)
            error = error * mean.numel() / squares.numel()
            if (name, axis) in self.known:
                old, before = self.known[name, axis]
                mean = keep * old + (1 - keep) * mean
                error = keep**2 * before + (1 - keep) ** 2 * error
            self.known[name, axis] = mean, error

    def logs(self, name: str, shape: Sequence[int], whole: bool) -> Tensor:
        """Return log2 of s, if wanted in whole numbers by tensor and axis."""
        found = torch.zeros(*shape) + self.log(name, -1, whole)
        for axis in range(len(shape)) if len(shape) > 1 else ():
            own = self.log(name, axis, False)
            own = own - own.mean()
            own = (own.round() if whole else own).clamp(-LOG_MOST, LOG_MOST)
            found = found + own.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return found

    def log(self, name: str, axis: int, whole: bool) -> Tensor:
        """Return log2 of s for an axis, -1 for the tensor, if wanted in whole numbers."""
        mean, error = self.known[name, axis]
        found = -0.25 * torch.maximum(mean, 2 * error.sqrt()).clamp_min(1e-30).log2()
        return found.round() if whole else found


def _over(x: Tensor, axis: int) -> Tensor:
    return x.mean() if axis < 0 else x.mean([a for a in range(x.dim()) if a != axis])


def _by_kernel(x: Tensor) -> Tensor:
    """Return a convolution's weight with its kernel as one axis, as directions have it."""
    return x.flatten(2) if x.dim() > 2 else x


def train(
    problem: Problem, how: str, evaluations: int, step_size: float, key: int
) -> Iterator[str]:
    """Yield a line five times along the run."""
    random, chain, ops = torch.Generator().manual_seed(key), UPDATE.chain(), TorchOps()
    first = {n: p.detach().numpy() for n, p in problem.model.named_parameters()}
    state, sizes = chain.init(first, ops), Sizes()
    scales: Slot = {n: torch.ones(()) for n in first}
    rounds = evaluations // (CLIENTS * (DIRECTIONS * BATCH + CANDIDATES))
    for number in range(rounds):
        weights = dict(state.weights)
        rows = torch.randint(len(problem.train[1]), (CLIENTS, CANDIDATES), generator=random)
        rows, counts = problem.picked(weights, rows, BATCH, random)
        of_each = vmap(torch.func.grad(problem._loss), in_dims=(None, 0, 0, 0))(
            weights, problem.train[0][rows], problem.train[1][rows], counts
        )
        squares = {n: g.square().mean(0) for n, g in of_each.items()}
        spread = sum(float((scales[n].square() * q).sum()) for n, q in squares.items()) ** 0.5
        noise = {n: spread / math.sqrt(DIRECTIONS * CLIENTS) / s for n, s in scales.items()}
        found = {
            n: g.mean(0) + torch.randn(g.shape[1:], generator=random) * noise[n]
            for n, g in of_each.items()
        }
        keep = min(KEEP if how == "measured" else 0.98, (1 + number) / (10 + number))
        for name, e in found.items():
            seen, variance = squares[name], torch.zeros_like(e)
            if how == "measured":
                variance = noise[name].square().expand_as(e)
                seen = e.square() - variance
            seen, variance = _by_kernel(seen), _by_kernel(2 * variance.square())
            sizes.add(name, seen.mean().expand(1) if how == "tensor" else seen, variance, keep)
        if number >= BEFORE and number % EVERY == 0:
            logs = {n: _logs(sizes, n, e, how) for n, e in found.items()}
            top = max(float(x.max()) for x in logs.values())
            scales = {n: 2.0 ** (x - top) for n, x in logs.items()}
        step = step_size * SCHEDULES["cosine"](number, rounds)
        state = chain.apply(state, {n: e / spread for n, e in found.items()}, step, ops)
        if (number + 1) % max(1, rounds // 5) == 0:
            x, y = problem.train
            loss = problem.evaluate(dict(state.served), (x[:SOME], y[:SOME]))[0]
            yield f"{how}: round {number + 1} of {rounds}, training loss {loss:.4f}"


def _logs(sizes: Sizes, name: str, like: Tensor, how: str) -> Tensor:
    if how == "tensor":
        return sizes.log(name, -1, True).expand_as(like)
    return sizes.logs(name, _by_kernel(like).shape, how != "exact").reshape(like.shape)


def main(arguments: Sequence[str]) -> None:
    """Run one way and print its lines."""
    how = arguments[0] if arguments else "axes"
    given = [float(word) for word in arguments[1:4]]
    millions, step, key = (*given, *(11.1, 0.04, 0)[len(given) :])
    if how not in WAYS:
        raise SystemExit(f"expected one of {', '.join(WAYS)}, got {how!r}")
    problem = problem_for(
        {
            "data": {
                "name": "mnist", "options": {"normalise": True},
                "partition": "iid", "partition_options": {},
            },
            "model": {"name": "lenet", "options": {"init": "he"}},
            "key": int(key),
        }
    )  # fmt: skip
    for line in train(problem, how, round(millions * 1e6), step, int(key)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
