"""What the study of the constant measures: the estimate, the truth, and what it chooses by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baffle.backends.torch import TorchProbe
from baffle.directions import Place, make_kind
from baffle.drivers.local.task import Task, TensorExamples
from experiments.constant import truth
from experiments.constant.error import answered, bias, errors, flat
from experiments.constant.tables import chosen, expected
from experiments.constant.truth import gradient, train
from experiments.harness import Cell, Results
from experiments.harness.results import Result

ROWS = np.arange(6)
ASKED = {"key": 4, "K": 2048, "estimator": "forward", "radius": -10}


@pytest.fixture
def task():
    generator = torch.Generator().manual_seed(0)
    examples = TensorExamples(torch.randn(40, 3, generator=generator), torch.arange(40) % 2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    return Task(model, torch.nn.functional.cross_entropy, examples, [ROWS], None)


@pytest.mark.parametrize("kind", ["rank_one", "rademacher", "gaussian"])
def test_the_error_is_that_of_the_plain_sum_and_c_is_one(task, kind):
    probe = TorchProbe(task.model, task.loss, task.train, threads=1)
    found, loss = answered(probe, ASKED | {"kind": kind}, ROWS)
    exact = flat(found.signature, gradient(task, ROWS))
    d = len(exact)
    assert loss == pytest.approx(
        float(task.loss(task.model(task.train.inputs[:6]), task.train.targets[:6]).detach())
    )
    plain = np.zeros(d)
    for k in range(8, 16):
        z = {
            t.name: make_kind(kind, 4).draw(
                Place(4, 0, 0).stream(n), np.array([k], dtype=np.uint32), t, None
            )
            for n, t in found.signature.trained
        }
        entries = flat(found.signature, {name: factors.dense()[0] for name, factors in z.items()})
        plain += (
            found.values[k] * entries * 2.0 ** (found.step_exponent + found.kind.unit_exponent) / 8
        )
    np.testing.assert_allclose(found.estimate(8, 16), plain, rtol=1e-5, atol=1e-6)
    rows = list(errors(found, exact))
    assert [row["K"] for row in rows] == [8, 32, 128, 512, 2048]
    c = np.mean([row["error"] * row["K"] / d for row in rows])
    assert c == pytest.approx(expected(kind, d), rel=0.25)
    assert rows[-1]["cosine"] > 0.98
    assert abs(bias(found, exact)) < 4 * 2 * d**0.5 / 2048


def test_truth_is_the_slope_of_the_loss(task):
    exact = gradient(task, ROWS)
    weight = task.model[2].bias
    inputs, targets = task.train.batch(ROWS)
    with torch.no_grad():
        weight[1] += 1e-2
        above = task.loss(task.model(inputs), targets)
        weight[1] -= 2e-2
        below = task.loss(task.model(inputs), targets)
    assert exact["2.bias"][1] == pytest.approx(float(above - below) / 2e-2, rel=1e-2)


def test_training_lowers_the_loss_and_repeats(task, monkeypatch):
    monkeypatch.setattr(truth, "STEPS", 40)
    inputs, targets = task.train.batch(np.arange(40))
    before, state = (
        float(task.loss(task.model(inputs), targets).detach()),
        dict(task.model.state_dict()),
    )
    state = {name: value.clone() for name, value in state.items()}
    train(task, key=1)
    first = flat_weights(task)
    assert float(task.loss(task.model(inputs), targets).detach()) < before
    task.model.load_state_dict(state)
    train(task, key=1)
    assert np.array_equal(flat_weights(task), first)


def flat_weights(task):
    return np.concatenate([p.detach().numpy().ravel() for p in task.model.parameters()])


def run(step, loss, accuracy):
    line = {"summary": {"test_accuracy": accuracy}, "extra": {"training_loss": loss}}
    labels = {"step": step, "key": accuracy}
    return Result(Cell(labels, labels), line)


def test_step_sizes_are_chosen_by_training_loss_and_a_run_that_broke_never_wins():
    found = Results([run(0.1, 0.5, 0.90), run(0.03, 0.6, 0.99), run(1.0, None, 0.1)])
    assert chosen(found).figures("test_accuracy") == [0.90]
