"""What the page of MNIST takes for granted."""

import json
from dataclasses import asdict

from baffle.models import build, count
from experiments.fewer.linear import problem_for
from experiments.mnist.local_steps import FILE, RECIPES, Recipe, train_loss
from experiments.mnist.study import LOCAL
from experiments.mnist.tables import PRODUCTS

SHAPES = {"lenet": (1, 32, 32), "convnet": (1, 28, 28)}


def test_multiply_adds_are_the_models():
    for name, shape in SHAPES.items():
        assert count(build(name, shape, 10, seed=0), shape).multiply_adds == PRODUCTS[name]


def test_twenty_rounds_use_the_recipe_of_the_least_training_loss_that_was_tried():
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    assert {json.dumps(line["recipe"]) for line in lines} == {
        json.dumps(asdict(r)) for r in RECIPES
    }
    best = Recipe(**min(lines, key=lambda line: line["train_loss"])["recipe"])
    probe, update = LOCAL["probe"], LOCAL["update"]
    used = (probe["num_local_steps"], probe["num_directions"], update["step_size"])
    assert used == (best.steps, best.directions, best.step_size)
    assert (probe["batch"], probe["candidates"]) == (best.batch, best.candidates)


def test_local_steps_learn():
    """A short try on a small part: the loss falls below what guessing loses, and repeats."""
    problem = problem_for({"data": {"name": "digits"}, "model": {"name": "linear"}})
    recipe = Recipe(1, 256, 0.4)
    first = train_loss(problem, recipe, 0)
    assert first == train_loss(problem, recipe, 0) < 2.2
    assert recipe.evaluations == 20 * 10 * (256 * 2 + 32)
