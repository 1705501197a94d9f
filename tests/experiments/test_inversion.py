"""The attack's parts: what is seen, what is minimised, and that it recovers what it should."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from experiments.inversion import attack, measure
from experiments.inversion.attack import Victim, label_of, recover, solved
from experiments.inversion.minimise import minimise
from experiments.inversion.network import gradients, lenet
from experiments.inversion.observed import Observed, of_gradients, of_scalars
from experiments.inversion.picture import unpacked
from experiments.inversion.public import Public

SHAPE = (1, 8, 8)


@pytest.fixture
def model():
    return lenet(SHAPE, "wide", key=3)


@pytest.fixture
def clients():
    """Four sets of one image, blobs with some structure, and their labels."""
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(4, 1, 4, 4, generator=generator)
    images = nn.functional.interpolate(small, size=8, mode="bilinear")
    return images[:, None], torch.tensor([[1], [7], [7], [4]])


def plain(model, images, labels):
    """The gradient of one set's mean loss, the usual way."""
    loss = nn.functional.cross_entropy(model(images), labels)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


def test_gradients_of_sets_are_autograds_of_each(model, clients):
    images, labels = (part.view(2, 2, *part.shape[2:]) for part in clients)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    found = gradients(model, weights, images, labels)
    for own, x, y in zip(found, images, labels, strict=True):
        torch.testing.assert_close(own, plain(model, x, y), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bits", [16, 8])
def test_scalars_are_products_of_directions_and_gradient_but_for_rounding(model, clients, bits):
    seen = of_scalars(model, *clients, K=64, bits=bits, z=0.0, key=5)
    wanted = of_gradients(model, *clients).values @ seen.directions.T
    off = (seen.values - wanted).square().mean() / wanted.square().mean()
    # The radius alone moves them by some 1e-5 of their square.
    assert off < 3e-5 + 2 * seen.noise
    assert (seen.noise > 1e-6) == (bits == 8)


def test_a_sum_is_the_mean_of_its_clients(model, clients):
    images, labels = clients
    alone = of_scalars(model, images, labels, K=16, bits=16, z=0.0, key=5)
    both = of_scalars(model, images.view(2, 2, *SHAPE), labels.view(2, 2), 16, 16, 0.0, key=5)
    mean = alone.values.view(2, 2, -1).mean(dim=1)
    torch.testing.assert_close(both.values, mean, rtol=1e-3, atol=1e-3)


def test_noise_is_what_the_promise_says(model, clients):
    quiet = of_scalars(model, *clients, K=512, bits=16, z=0.0, key=5)
    loud = of_scalars(model, *clients, K=512, bits=16, z=1.0, key=5)
    assert quiet.noise < 1e-6
    assert 0.97 < loud.noise <= 1.05  # 512 integers of one L2 norm, each with noise of that norm


def test_the_one_class_whose_bias_is_pulled_up_is_the_label(model, clients):
    assert label_of(of_gradients(model, *clients)).tolist() == [1, 7, 7, 4]


def test_more_directions_than_weights_are_a_linear_system():
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(3, 20, generator=generator)
    directions = torch.randn(80, 20, generator=generator).sign()
    found = solved(Observed(directions, gradient @ directions.T, 0.0))
    assert found.directions is None
    torch.testing.assert_close(found.values, gradient, rtol=1e-3, atol=1e-4)


def valley(x):
    """Rosenbrock's function of each row, and its gradient."""
    x = x.detach().requires_grad_()
    values = 100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2
    return values.detach(), torch.autograd.grad(values.sum(), x)[0]


def test_each_row_finds_the_bottom_of_the_valley_as_if_it_were_alone():
    start = torch.tensor([[-1.2, 1.0], [0.5, -0.5], [2.0, 2.0]])
    found, values = minimise(valley, start, iterations=80)
    torch.testing.assert_close(found, torch.ones(3, 2), rtol=0.01, atol=0.01)
    assert values.max() < 1e-4
    alone, _ = minimise(valley, start[1:2], iterations=80)
    assert torch.equal(alone[0], found[1])


def test_a_gradient_gives_the_images_away_and_no_scalar_does_not(model, clients, monkeypatch):
    monkeypatch.setattr(attack, "ITERATIONS", {"idlg": 40})
    images, labels = clients
    public = Public(torch.full((64,), 0.5), torch.eye(64))
    victim = Victim(model, labels, SHAPE)
    seen = of_gradients(model, images, labels)
    found = recover("idlg", victim, seen, public, key=0).images
    grey = (images - 0.5).square().mean()
    assert (found - images).square().mean() < 0.02 * grey
    blind = Observed(torch.zeros(1, seen.values.shape[1]), torch.ones(4, 1), 0.0)
    guess = recover("idlg", victim, blind, public, key=0).images
    assert (guess - images).square().mean() > 0.9 * grey


def test_labels_are_found_by_trying_them(model, clients, monkeypatch):
    monkeypatch.setattr(attack, "ITERATIONS", {"tried": 15})
    images, labels = clients
    public = Public(torch.full((64,), 0.5), 0.3 * torch.eye(64))
    seen = of_gradients(model, images, labels)
    found = recover("tried", Victim(model, torch.zeros_like(labels), SHAPE), seen, public, key=0)
    assert torch.equal(found.labels, labels)
    assert found.images.shape == images.shape


def test_public_images_give_mean_and_spread():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(4000, 1, 2, 2, generator=generator) * torch.tensor([1.0, 2.0]) + 3
    public = Public.of(drawn)
    torch.testing.assert_close(public.mean, torch.full((4,), 3.0), rtol=0.05, atol=0.05)
    spread = public.components @ public.components.T
    wanted = torch.diag(torch.tensor([1.0, 4.0, 1.0, 4.0]))
    torch.testing.assert_close(spread, wanted, rtol=0.1, atol=0.25)


def small_data(name):
    """Images of the form that the study takes, without a file."""
    rng = np.random.default_rng(0)
    x = rng.random((60, 1, 12, 12), dtype=np.float32)
    y = np.arange(60) % 10
    return SimpleNamespace(
        in_shape=(1, 12, 12),
        classes=10,
        train_x=x[:40],
        train_y=y[:40],
        test_x=x[40:],
        test_y=y[40:],
    )


def test_a_cell_has_figures_of_every_image_and_of_every_guess(monkeypatch):
    monkeypatch.setattr(measure, "_data", small_data)
    monkeypatch.setattr(attack, "ITERATIONS", {"public": 2})
    asked = {"data": "mnist", "key": 0, "weights": "usual", "n": 3, "bits": 8, "noise": 0.0}
    found = measure.measure(asked | {"attack": "public", "K": 8})
    assert len(found["psnr"]) == len(found["ssim"]) == 9
    assert found["labels"] is None
    assert unpacked(found["images"], (1, 12, 12)).shape == (4, 1, 12, 12)
    control = measure.measure(asked | {"attack": "control", "K": 0, "n": 1})
    assert control["original"]["named"] == 1.0
    assert min(control["original"]["psnr"]) == 100.0
    assert max(control["other"]["psnr"]) < 20


def test_recovered_images_of_a_sum_are_put_beside_those_they_suit():
    originals = np.stack([np.full((1, 2, 2), value) for value in (0.0, 0.5, 1.0)])
    assert np.array_equal(measure._matched(originals, originals[[2, 0, 1]]), originals)
