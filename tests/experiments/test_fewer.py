"""The linear regime: its noise is that of drawn directions, and a recipe's cost is what it says."""

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from baffle.updates import NUMPY
from experiments.fewer.linear import OURS, Recipe, _estimate, problem_of, train
from experiments.fewer.study import STUDY

PROBLEM = problem_of("digits", "mlp", 0, widths=[8])
RECIPE = Recipe(evaluations=64 * 60, per_round=64 * 10, batch=10, whole_test=False)


def error(recipe, scales, draws=100):
    """Return the mean squared error of an estimate by tensor, and what the formula says."""
    weights = {n: p.detach() for n, p in PROBLEM.model.named_parameters()}
    rows = torch.arange(10)[None]
    mean, squares = PROBLEM.gradient(weights, rows, torch.full(rows.shape, 1 / 10))
    state = OURS.chain().init({n: w.numpy() for n, w in weights.items()}, NUMPY)
    random = torch.Generator().manual_seed(1)
    seen = dict.fromkeys(mean, 0.0)
    for _ in range(draws):
        found, _ = _estimate(recipe, state, mean, squares, scales, random)
        for name, e in found.items():
            seen[name] += float((e - mean[name]).square().sum()) / draws
    spread = sum(4.0 ** scales[n] * float(q) for n, q in squares.items())
    count = recipe.directions_of_set
    expected = {n: g.numel() / (count * 4.0 ** scales[n]) * spread for n, g in mean.items()}
    return seen, expected


@pytest.mark.parametrize("directions", ["limit", "rank_one"])
def test_the_error_is_that_of_the_formula(directions):
    names = [n for n, _ in PROBLEM.model.named_parameters()]
    scales = dict(zip(names, (0, -2, 1, -1), strict=True))
    seen, expected = error(replace(RECIPE, directions=directions), scales)
    for name in names:
        assert seen[name] == pytest.approx(expected[name], rel=0.2)


def test_a_run_spends_what_it_says_and_repeats():
    for recipe in (RECIPE, replace(RECIPE, sets=2, batch=5, scales="measured")):
        first, again = (list(train(PROBLEM, recipe, 3, points=2)) for _ in range(2))
        assert first == again
        assert [p.evaluations for p in first] == [1920, 3840]
        assert first[-1].train_loss < 3


def test_picked_examples_stand_for_all_candidates():
    """Over many picks their weighted gradient is the candidates' mean gradient, at any losses."""
    weights = {n: 15 * p.detach() for n, p in PROBLEM.model.named_parameters()}
    x, y = PROBLEM.train
    right = functional_call(PROBLEM.model, weights, (x,)).argmax(1) == y
    rows = torch.cat([right.nonzero()[:6, 0], (~right).nonzero()[:6, 0]])[None]
    random = torch.Generator().manual_seed(2)
    whole, _ = PROBLEM.gradient(weights, rows, torch.full(rows.shape, 1 / 12))
    seen, even = dict.fromkeys(whole, 0.0), dict.fromkeys(whole, 0.0)
    for _ in range(400):
        chosen, counts = PROBLEM.picked(weights, rows, 3, random)
        found, _ = PROBLEM.gradient(weights, chosen, counts)
        alike, _ = PROBLEM.gradient(weights, chosen, torch.full(chosen.shape, 1 / 3))
        for name in whole:
            seen[name] = seen[name] + found[name] / 400
            even[name] = even[name] + alike[name] / 400
    off = {n: float((seen[n] - g).norm() / g.norm()) for n, g in whole.items()}
    wrong = {n: float((even[n] - g).norm() / g.norm()) for n, g in whole.items()}
    assert max(off.values()) < 0.1 < min(wrong.values()), (off, wrong)


def test_candidates_are_counted():
    recipe = replace(RECIPE, evaluations=1280, per_round=640, batch=2, candidates=16, sets=4)
    assert (recipe.directions_of_set, recipe.rounds, recipe.spent(1)) == (72, 2, 640)
    assert [p.evaluations for p in train(PROBLEM, recipe, 3, points=2)] == [640, 1280]


def test_every_recipe_of_the_linear_regime_can_be_made():
    cells = [cell for cell in STUDY.cells if not cell.is_run]
    assert len({cell.settings["measure"]["key"] for cell in cells}) == 3
