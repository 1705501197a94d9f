"""What the groups study measures against: autograd's gradient, and the formula of its error."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from baffle.drivers.local.task import Task, TensorExamples
from experiments.groups.error import Sizes, dealt, design
from experiments.groups.gradients import truth

ROWS = [np.array([0, 1, 2, 3]), np.array([4, 5, 6])]
BATCH = 2


@pytest.fixture
def task():
    torch.manual_seed(0)
    examples = TensorExamples(torch.randn(7, 3), torch.tensor([0, 1, 0, 1, 0, 0, 1]))
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    return Task(model, torch.nn.functional.cross_entropy, examples, ROWS, None)


def plain(task, rows):
    """The gradient of the mean loss of some examples, the usual way."""
    task.model.zero_grad()
    inputs, targets = task.train.batch(np.asarray(rows))
    task.loss(task.model(inputs), targets).backward()
    return np.concatenate([p.grad.numpy().ravel() for p in task.model.parameters()])


def test_truth_is_autograds_and_its_noise_is_that_of_all_batches_there_are(task):
    weights = {name: p.detach().numpy() for name, p in task.model.named_parameters()}
    found = truth(task, weights, BATCH)
    clients = np.array([plain(task, rows) for rows in ROWS])
    whole = clients.mean(axis=0)
    flat = np.concatenate([g.ravel() for g in found.gradient.values()])
    np.testing.assert_allclose(flat, whole, rtol=1e-4, atol=1e-7)
    norm = np.sum(whole**2)
    assert found.norm == pytest.approx(norm, rel=1e-4)
    between = np.mean([np.sum((own - whole) ** 2) for own in clients])
    assert found.between == pytest.approx(between / norm, rel=1e-3)
    within = [
        np.mean([np.sum((plain(task, b) - own) ** 2) for b in itertools.combinations(rows, BATCH)])
        for rows, own in zip(ROWS, clients, strict=True)
    ]
    assert found.within == pytest.approx(np.mean(within) / norm, rel=1e-3)


@pytest.mark.parametrize(("asked", "groups"), [(6, 1), (6, 3), (4, 2), (4, 4)])
def test_dealt_is_the_mean_error_of_a_simulated_linear_loss(asked, groups):
    rng = np.random.default_rng(0)
    entries, directions, crowd, draws = 12, 4, 6, 4000
    own = rng.normal(size=(crowd, entries)) + 1.0
    whole = own.mean(axis=0)
    norm = whole @ whole
    between = np.mean(np.sum((own - whole) ** 2, axis=1)) / norm
    within, errors = 0.5, []
    for _ in range(draws):
        who = rng.permutation(crowd)[:asked].reshape(groups, -1)
        noise = rng.normal(size=own.shape) * np.sqrt(within * norm / entries)
        means = (own + noise)[who].mean(axis=1)
        z = rng.choice([-1.0, 1.0], size=(groups, directions, entries))
        found = np.einsum("gkd,gke,ge->d", z, z, means) / (groups * directions)
        errors.append(np.sum((found - whole) ** 2) / norm)
    sizes = Sizes(entries, directions, groups, asked, crowd)
    assert np.mean(errors) == pytest.approx(dealt(sizes, between, within), rel=0.06)


def test_both_formulas_agree_on_a_crowd_and_many_entries():
    sizes = Sizes(entries=10**6, directions=512, groups=4, asked=20, clients=10**6)
    assert dealt(sizes, 3.0, 2.0) == pytest.approx(design(sizes, 3.0, 2.0), rel=1e-4)


def test_where_all_are_asked_and_probe_together_what_sets_clients_apart_is_gone():
    sizes = Sizes(entries=641, directions=64, groups=1, asked=20, clients=20)
    assert dealt(sizes, between=3.0, within=0.0) == 10.0
    assert design(Sizes(640, 64, 5, 20, 20), between=3.0, within=1.0) == pytest.approx(4.2)
