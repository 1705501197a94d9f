"""Local steps in the linear regime: which H, K and step size to spend twenty rounds on.

    python -m experiments.mnist.local_steps          # tries what local_steps.jsonl does not have

Each client takes H steps of plain SGD from the round's weights, along estimates with the error
that K directions of its own make where the radius is small, E|e - g|² = d|g|²/K, drawn as Gaussian
noise; the server averages what they come to. One backward pass stands for K forward ones, so a try
costs half a minute to four. Recipes are compared by training loss; the test set is not looked at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from baffle.algorithms import SCHEDULES
from baffle.protocol.picking import pick, shares
from experiments.fewer.linear import SOME, Problem, Slot, problem_for
from experiments.mnist.study import BASE, SMALL, merged

FILE = Path(__file__).with_name("local_steps.jsonl")
CLIENTS, ROUNDS, AVERAGE = 10, 20, 0.5


@dataclass(frozen=True)
class Recipe:
    """How a client spends a round.

    Args:
        steps: H.
        directions: K.
        batch, candidates: B of M examples a step.
        step_size: at the top of a cosine schedule over the rounds.
    """

    steps: int
    directions: int
    step_size: float
    batch: int = 2
    candidates: int = 32

    @property
    def evaluations(self) -> int:
        """Example evaluations of all clients and rounds."""
        return ROUNDS * CLIENTS * self.steps * (self.directions * self.batch + self.candidates)


RECIPES = (
    Recipe(128, 512, 0.04),
    Recipe(128, 512, 0.1),
    Recipe(128, 512, 0.2),
    Recipe(256, 256, 0.1),
    Recipe(256, 512, 0.08),
    Recipe(256, 512, 0.08, batch=1, candidates=16),
    Recipe(512, 128, 0.2),
    Recipe(512, 256, 0.2),
)


def train_loss(problem: Problem, recipe: Recipe, key: int) -> float:
    """Return the training loss of the averaged weights after all rounds."""
    random = torch.Generator().manual_seed(key)
    weights = {n: p.detach().clone() for n, p in problem.model.named_parameters()}
    average = weights
    for number in range(ROUNDS):
        step = recipe.step_size * SCHEDULES["cosine"](number, ROUNDS)
        own = {n: w.expand(CLIENTS, *w.shape) for n, w in weights.items()}
        for _ in range(recipe.steps):
            own = _moved(problem, recipe, own, step, random)
        weights = {n: w.mean(0) for n, w in own.items()}
        keep = min(AVERAGE, (1 + number) / (10 + number)) if number else 0.0
        average = {n: keep * average[n] + (1 - keep) * w for n, w in weights.items()}
    x, y = problem.train
    return problem.evaluate(average, (x[:SOME], y[:SOME]))[0]


def _moved(
    problem: Problem, recipe: Recipe, own: Slot, step: float, random: torch.Generator
) -> Slot:
    """Return the clients' weights after one step of each; a slot's first axis is the client."""

    def losses(weights: Slot, x: Tensor, y: Tensor) -> Tensor:
        outputs = functional_call(problem.model, weights, (x,))
        return torch.nn.functional.cross_entropy(outputs, y, reduction="none")

    def loss(weights: Slot, x: Tensor, y: Tensor, counts: Tensor) -> Tensor:
        return torch.sum(losses(weights, x, y) * counts)

    x, y = problem.train
    rows = torch.randint(len(y), (CLIENTS, recipe.candidates), generator=random)
    with torch.no_grad():
        found = vmap(losses)(own, x[rows], y[rows]).double().numpy()
    at = torch.rand(CLIENTS, generator=random).tolist()
    picked = [pick(shares(one), recipe.batch, u) for one, u in zip(found, at, strict=True)]
    rows = rows.gather(1, torch.stack([torch.as_tensor(p.places) for p in picked]))
    counts = torch.stack([torch.as_tensor(p.weights) for p in picked]).float()
    gradients = vmap(grad(loss))(own, x[rows], y[rows], counts)
    energies = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)
    noise = (energies / recipe.directions).sqrt()  # of each entry, one a client
    moved = {}
    for name, g in gradients.items():
        error = torch.randn(g.shape, generator=random) * noise.view(-1, *[1] * (g.dim() - 1))
        moved[name] = own[name] - step * (g + error)
    return moved


def main(arguments: list[str] | None = None) -> None:
    """Try what has no line yet, and print all by their training loss."""
    parser = argparse.ArgumentParser("python -m experiments.mnist.local_steps", description=__doc__)
    parser.parse_args(arguments)
    known = {json.dumps(line["recipe"]): line["train_loss"] for line in _lines()}
    problem = None
    for recipe in RECIPES:
        name = json.dumps(asdict(recipe))
        if name in known:
            continue
        problem = problem or problem_for(merged(BASE, SMALL))
        known[name] = train_loss(problem, recipe, 0)
        line = {"recipe": asdict(recipe), "train_loss": known[name], "key": 0}
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    for name, loss in sorted(known.items(), key=lambda pair: pair[1]):
        print(f"{loss:.4f}  {name}")


def _lines() -> list[Mapping[str, Any]]:
    if not FILE.exists():
        return []
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
