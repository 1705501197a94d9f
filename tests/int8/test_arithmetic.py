"""The operations against whole-number arithmetic, and under a pass of many points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.directions import Place, Points, make_kind
from baffle.drivers.local.task import TensorExamples
from baffle.int8 import arithmetic, to_int8


def whole(low: int, high: int, *shape: int) -> torch.Tensor:
    return torch.randint(low, high + 1, shape)


def test_a_linear_sum_is_that_of_whole_numbers():
    torch.manual_seed(0)
    x, w = whole(0, 255, 7, 31).to(torch.uint8), whole(-127, 127, 5, 31)
    expected = (x.long() - 9) @ w.t()
    assert (arithmetic.linear(x, w.float(), 9) == expected).all()


def test_a_convolution_pads_with_what_stands_for_nothing():
    torch.manual_seed(0)
    x, w = whole(0, 255, 2, 4, 6, 6).to(torch.uint8), whole(-127, 127, 6, 2, 3, 3)
    found = arithmetic.conv2d(x, w.float(), 9, [2, 1], [1, 0], [1, 1], 2)
    expected = functional.conv2d(x.double() - 9, w.double(), None, (2, 1), (1, 0), (1, 1), 2)
    assert (found == expected).all()


def test_activations_are_rounded_to_even_and_cut():
    x = torch.tensor([-9.0, 0.25, 0.75, 1.0, 1e9])
    assert arithmetic.quantise(x, torch.tensor(0.5), 3).tolist() == [0, 3, 5, 5, 255]


def test_a_radius_of_a_step_moves_every_weight_by_one():
    u = torch.arange(-126 * 16, 126 * 16 + 1) / 2048  # sixteenths of a step, exact in float32
    at = arithmetic.steps(u)
    assert (at.abs() <= 126).all()
    for sign in (-1, 1):
        assert (arithmetic.steps(u + sign * 2.0**-7) == at + sign).all()


def small(trained: str) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, groups=2), nn.BatchNorm2d(12), nn.ReLU(), nn.Flatten(),
        nn.Linear(12 * 2 * 2, 10),
    )  # fmt: skip
    return to_int8(net, [torch.rand(40, 1, 8, 8)], trained)


def points(module: nn.Module, kind: str, exponent: int = -7, count: int = 9) -> Points:
    trained = model_signature(module).trained
    signs = np.where(np.arange(count) % 2, -1, 1).astype(np.int8)
    signs[-1] = 0
    directions = np.arange(count, dtype=np.uint32)
    return Points(Place(5, 2), make_kind(kind, 5), (exponent,) * len(trained), directions, signs)


@pytest.mark.parametrize("trained", ["weights", "gains"])
@pytest.mark.parametrize("kind", ["rank_one", "rademacher"])
def test_every_route_says_the_same(trained, kind):
    module = small(trained)
    examples = TensorExamples(torch.rand(20, 1, 8, 8), torch.randint(0, 10, (20,)))
    asked, weights = points(module, kind), initial_weights(module)
    found = {}
    for route in ("", "one_by_one", "vmapped", "point_by_point"):
        probe = TorchProbe(module, functional.cross_entropy, examples, route=route)
        found[route] = probe(weights, asked, np.arange(20))
        if route or kind == "rank_one":
            assert probe.route == (route or "rank_one")
    for losses in found.values():
        np.testing.assert_allclose(losses, found["one_by_one"], atol=2e-6)
    assert len(set(found["one_by_one"])) > 4  # the steps do move the losses


def test_less_than_a_step_is_not_taken_for_whole_moves():
    """Half a step moves some weights by one and others by none: no rank-one correction."""
    module = small("weights")
    examples = TensorExamples(torch.rand(20, 1, 8, 8), torch.randint(0, 10, (20,)))
    asked, weights = points(module, "rank_one", -8), initial_weights(module)
    slow = TorchProbe(module, functional.cross_entropy, examples, route="one_by_one")
    fast = TorchProbe(module, functional.cross_entropy, examples)
    known = slow(weights, asked, np.arange(20))
    np.testing.assert_allclose(fast(weights, asked, np.arange(20)), known, atol=2e-6)
