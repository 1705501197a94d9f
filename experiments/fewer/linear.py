"""Training in the linear regime: what a round's scalars would come to, from autodiff gradients.

Where the radius is small, a derivative along z is g·z, and K scalars cost one backward pass instead
of K forward ones. This is for choosing what to try; what wins is confirmed with real probes.

One round has S sets of K directions, each on a batch of B examples of its own: S·B·K example
evaluations; where B of M candidates are picked by their losses, S·(B·K + M). S clients with
directions of their own are S sets; so are S local steps with a local step size of 0. With s_l the
radius of tensor l over the reference radius, a set's estimate is

    e_l = (1/K) Σ_k d_k z_kl / s_l,   d_k = Σ_m s_m g_m·z_km,
    E|e_l - g_l|² = d_l / (K s_l²) · Σ_m s_m² |g_m|²    (less |g_l|²/K).

`limit` draws that error as Gaussian noise, which costs nothing; `rank_one` draws the directions.
Left out: what a finite radius and quantisation do.

    problem = problem_of("mnist", "lenet", key=0)
    for point in train(problem, Recipe(evaluations=11_100_000, per_round=10_240, batch=5), key=0):
        print(point.evaluations, point.train_loss, point.test_accuracy)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from baffle.algorithms import SCHEDULES
from baffle.algorithms.radii import next_scales, standard_error
from baffle.backends.torch.ops import TorchOps
from baffle.config import resolve
from baffle.drivers.local.task import task_of
from baffle.protocol.picking import pick, shares
from baffle.updates import TrainState, UpdateSpec

Slot = dict[str, Tensor]
OURS = UpdateSpec("adam", 0.9, 0.99, average=0.98, normalised=True)
MEASURED_SETS = 8  # of which |g|² is taken; the mean gradient is of all
SOME = 2000  # examples of an evaluation along the way, and of the training loss


@dataclass(frozen=True)
class Recipe:
    """One way to spend evaluations.

    Args:
        evaluations: example evaluations of the whole run.
        per_round: of a round, S·(B·K + M).
        batch: B, examples of one set.
        candidates: M, of which the B are picked by their losses; 0: any B.
        sets: S.
        step_size, schedule, update: as in a run.
        scales: "equal"; "measured" by what the estimates show; "oracle" by the gradients.
        smoothing: decay of the measured energies.
        directions: "limit" or "rank_one".
        guess: c of the control variate c·m, m the momentum: only d_k - c m·z_k is spread over the
            directions, and c·m is added.
        whole_test: whether the run ends with all test examples, or with as many as on the way.
    """

    evaluations: int
    per_round: int
    batch: int
    candidates: int = 0
    sets: int = 1
    step_size: float = 0.02
    schedule: str = "cosine"
    update: UpdateSpec = field(default=OURS)
    scales: str = "equal"
    smoothing: float = 0.98
    directions: str = "limit"
    guess: float = 0.0
    whole_test: bool = True

    @property
    def directions_of_set(self) -> int:
        """K."""
        return max(1, (self.per_round // self.sets - self.candidates) // self.batch)

    @property
    def rounds(self) -> int:
        """How many rounds the evaluations are enough for."""
        return self.evaluations // self.spent(1)

    def spent(self, rounds: int) -> int:
        """Return the evaluations of so many rounds."""
        return rounds * self.sets * (self.directions_of_set * self.batch + self.candidates)


@dataclass(frozen=True)
class Point:
    """Where a run stands; losses and accuracy are of the averaged weights."""

    evaluations: int
    train_loss: float
    test_loss: float
    test_accuracy: float
    scales: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """A model and its data."""

    model: torch.nn.Module
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def picked(
        self, weights: Slot, rows: Tensor, batch: int, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return which candidates each set probes on, and what each counts for.

        Args:
            weights: by tensor.
            rows: candidates of each set, int64 [S, M].
            batch: B.
            random: one number a set is drawn from it.

        Returns:
            Rows [S, B], and weights [S, B].
        """
        with torch.no_grad():
            outputs = functional_call(self.model, weights, (self.train[0][rows.flatten()],))
            losses = _losses(outputs, self.train[1][rows.flatten()]).reshape(rows.shape)
        at = torch.rand(len(rows), generator=random).tolist()
        found = [
            pick(shares(one.double().numpy()), batch, uniform)
            for one, uniform in zip(losses, at, strict=True)
        ]
        places = torch.stack([torch.as_tensor(one.places) for one in found])
        counts = torch.stack([torch.as_tensor(one.weights) for one in found]).float()
        return rows.gather(1, places), counts

    def gradient(self, weights: Slot, rows: Tensor, counts: Tensor) -> tuple[Slot, Slot]:
        """Return the mean gradient of all sets, and by tensor the mean over sets of |g|².

        Args:
            weights: by tensor.
            rows: examples of each set, int64 [S, B].
            counts: what each counts for in its set's loss, [S, B].
        """
        x, y = self.train[0][rows], self.train[1][rows]
        if len(rows) == 1:
            whole = grad(self._loss)(weights, x[0], y[0], counts[0])
            each = {n: g[None] for n, g in whole.items()}
        elif len(rows) <= MEASURED_SETS:
            each = vmap(grad(self._loss), in_dims=(None, 0, 0, 0))(weights, x, y, counts)
            whole = {n: g.mean(0) for n, g in each.items()}
        else:
            some = slice(0, MEASURED_SETS)
            each = vmap(grad(self._loss), in_dims=(None, 0, 0, 0))(
                weights, x[some], y[some], counts[some]
            )
            flat = (counts / len(rows)).flatten()
            whole = grad(self._loss)(weights, x.flatten(0, 1), y.flatten(), flat)
        return whole, {n: g.flatten(1).square().sum(1).mean() for n, g in each.items()}

    def _loss(self, weights: Slot, x: Tensor, y: Tensor, counts: Tensor) -> Tensor:
        return torch.sum(_losses(functional_call(self.model, weights, (x,)), y) * counts)

    def evaluate(self, weights: Slot, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
        """Return mean loss and accuracy."""
        with torch.no_grad():
            parts = [functional_call(self.model, weights, (x,)) for x in data[0].split(500)]
        outputs = torch.cat(parts)
        loss = torch.nn.functional.cross_entropy(outputs, data[1])
        return float(loss), float((outputs.argmax(1) == data[1]).float().mean())


def _losses(outputs: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(outputs, targets, reduction="none")


def problem_of(data: str, model: str, key: int, **options: object) -> Problem:
    """Return a named data set and model, with the initial weights of a run with this key."""
    partition = {"partition": "iid", "partition_options": {}}
    return problem_for(
        {"data": {"name": data, **partition}, "model": {"name": model, "options": options},
         "key": key}
    )  # fmt: skip


def problem_for(settings: Mapping[str, Any]) -> Problem:
    """Return the model and the data of a run with these settings, with its initial weights."""
    task = task_of(resolve(settings))
    train, test = task.train, task.test
    return Problem(task.model, (train.inputs, train.targets), (test.inputs, test.targets))


def measured(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe comes to, with 2,000 examples of each kind.

    Args:
        given: data, model and key; fields of a Recipe; settings of an UpdateSpec.
    """
    settings = dict(given)
    problem = problem_of(settings.pop("data"), settings.pop("model"), settings["key"])
    names = {f.name for f in fields(Recipe)}
    key = settings.pop("key")
    own = {name: settings.pop(name) for name in list(settings) if name in names}
    recipe = Recipe(**own, update=replace(OURS, **settings), whole_test=False)
    points = list(train(problem, recipe, key, points=5))
    return {
        "curve": [[p.evaluations, p.train_loss, p.test_accuracy] for p in points],
        "loss": points[-1].train_loss,
        "test_accuracy": points[-1].test_accuracy,
        "scales": list(points[-1].scales),
    }


def train(problem: Problem, recipe: Recipe, key: int, points: int = 10) -> Iterator[Point]:
    """Yield where the run stands, `points` times and at its end.

    Args:
        problem: whose model gives the first weights.
        recipe: how evaluations are spent.
        key: of batches and directions.
        points: how often to evaluate.
    """
    random, chain = torch.Generator().manual_seed(key), recipe.update.chain()
    ops = TorchOps()
    named = problem.model.named_parameters()
    first = {n: p.detach().numpy() for n, p in named if p.requires_grad}
    state, count = chain.init(first, ops), len(problem.train[1])
    scales = dict.fromkeys(first, 0)
    energies = dict.fromkeys(first, 0.0)
    evaluated = {round(recipe.rounds * (i + 1) / points) for i in range(points)}
    for number in range(recipe.rounds):
        weights = dict(state.weights)
        wanted = recipe.candidates or recipe.batch
        rows = torch.randint(count, (recipe.sets, wanted), generator=random)
        counts = torch.full(rows.shape, 1 / recipe.batch)
        if recipe.candidates:
            rows, counts = problem.picked(weights, rows, recipe.batch, random)
        mean, squares = problem.gradient(weights, rows, counts)
        found, deviation = _estimate(recipe, state, mean, squares, scales, random)
        scaled = {n: g / deviation for n, g in found.items()} if recipe.update.normalised else found
        step = recipe.step_size * SCHEDULES[recipe.schedule](number, recipe.rounds)
        state = chain.apply(state, scaled, step, ops)
        scales = _next_scales(recipe, energies, found, squares, deviation, scales, number)
        if number + 1 in evaluated:
            yield _point(problem, recipe, state, number + 1, scales)


def _point(
    problem: Problem, recipe: Recipe, state: TrainState, rounds: int, scales: dict[str, int]
) -> Point:
    served = dict(state.served)
    (x, y), (test_x, test_y) = problem.train, problem.test
    whole = rounds == recipe.rounds and recipe.whole_test
    test = problem.evaluate(served, (test_x, test_y) if whole else (test_x[:SOME], test_y[:SOME]))
    loss = problem.evaluate(served, (x[:SOME], y[:SOME]))[0]
    return Point(recipe.spent(rounds), loss, *test, tuple(scales.values()))


def _estimate(
    recipe: Recipe,
    state: TrainState,
    mean: Slot,
    squares: Slot,
    scales: dict[str, int],
    random: torch.Generator,
) -> tuple[Slot, float]:
    """Return the round's estimate and the standard deviation of its scalars."""
    known = _known(recipe, state, mean)
    if known:
        squares = {
            n: squares[n] - 2 * torch.sum(mean[n] * known[n]) + known[n].square().sum()
            for n in mean
        }
    if recipe.directions == "rank_one":
        return _drawn(recipe, mean, scales, random)
    spread = sum(4.0 ** scales[n] * float(q) for n, q in squares.items())
    deviation = max(spread, 1e-30) ** 0.5
    noise = deviation / (recipe.directions_of_set * recipe.sets) ** 0.5
    found = {
        n: g + torch.randn(g.shape, generator=random) * (noise / 2.0 ** scales[n])
        for n, g in mean.items()
    }
    return found, deviation


def _known(recipe: Recipe, state: TrainState, mean: Slot) -> Slot:
    if not recipe.guess or not state.updates:
        return {}
    slot = state.slots["adam.first"]
    return {n: slot[n] * recipe.guess for n in mean}


def _drawn(
    recipe: Recipe, mean: Slot, scales: dict[str, int], random: torch.Generator
) -> tuple[Slot, float]:
    """Return the estimate from drawn rank-one directions; one set only."""
    if recipe.sets != 1:
        raise ValueError(f"rank_one is for one set, got {recipe.sets}")
    factors, count = {}, recipe.directions_of_set
    scalars = torch.zeros(count)
    for name, g in mean.items():
        matrix = g.reshape(g.shape[0], g.shape[1] if g.dim() > 1 else 1, -1)
        axes = matrix.shape if g.dim() > 1 else (g.shape[0], 1, 1)
        factors[name] = [
            _signs((count, n), random) if n > 1 else torch.ones(count, 1) for n in axes
        ]
        part = torch.einsum("oil,ko,ki,kl->k", matrix, *factors[name])
        scalars += part * 2.0 ** scales[name]
    found = {
        n: torch.einsum("k,ko,ki,kl->oil", scalars, *factors[n]).reshape(g.shape)
        / (count * 2.0 ** scales[n])
        for n, g in mean.items()
    }
    return found, float(scalars.square().mean().sqrt())


def _signs(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.randint(2, shape, generator=random).float() * 2 - 1


def _next_scales(
    recipe: Recipe,
    energies: dict[str, float],
    found: Slot,
    squares: Slot,
    deviation: float,
    scales: dict[str, int],
    number: int,
) -> dict[str, int]:
    """Return the next round's log2 s_l; `energies` are moved."""
    if recipe.scales == "equal":
        return scales
    keep = min(recipe.smoothing, (1 + number) / (10 + number))
    for name, e in found.items():
        if recipe.scales == "oracle":
            now = float(squares[name]) / e.numel() / deviation**2
        else:
            floor = 1 / (recipe.directions_of_set * recipe.sets * 4.0 ** scales[name])
            now = float(e.square().mean()) / deviation**2 - floor
        energies[name] = keep * energies[name] + (1 - keep) * now
    count = recipe.directions_of_set * recipe.sets
    errors = {
        name: standard_error(keep, e.numel(), count, scales[name]) for name, e in found.items()
    }
    sizes = {name: e.numel() for name, e in found.items()}
    moved = next_scales(energies, errors, sizes, tuple(scales.values()))
    return dict(zip(scales, moved or (0,) * len(scales), strict=True))
