"""Random numbers in a forward pass: equal at all points, in every route, and again in a repeat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.torch import TorchProbe, initial_weights
from tests.backends.helpers import Rows, some_points, sum_outputs


class Noisy(nn.Module):
    """Draws in forward, in eval mode too, before and behind trained layers."""

    def __init__(self, draw) -> None:
        super().__init__()
        self.first, self.second, self.draw = nn.Linear(6, 8), nn.Linear(8, 3), draw

    def forward(self, x):
        return self.second(self.draw(torch.tanh(self.first(self.draw(x)))))


DRAWS = {
    "dropout": lambda h: functional.dropout(h, 0.5, training=True),
    "dropout in place": lambda h: functional.dropout(h * 1, 0.5, training=True, inplace=True),
    "rand_like": lambda h: h + torch.rand_like(h),
    "randn_like": lambda h: h * (1 + 0.1 * torch.randn_like(h)),
    "randn of a shape": lambda h: h + torch.randn(h.shape[0], h.shape[1]),
    "randn of a size": lambda h: h + torch.randn(h.shape),
    "randint": lambda h: h + torch.randint(0, 3, (h.shape[0], 1)),
    "normal_": lambda h: h + torch.empty_like(h).normal_(),
    "one number for all": lambda h: h * torch.rand(1),
    "mask": lambda h: h * (torch.rand_like(h) > 0.3),
    "bernoulli": lambda h: h * torch.bernoulli(torch.sigmoid(h)),
    "alpha dropout": lambda h: functional.alpha_dropout(h, 0.3, training=True),
}
BATCHED = sorted(set(DRAWS) - {"bernoulli", "alpha dropout"})


def probe_of(name: str, route: str = "", chunk: int = 0):
    torch.manual_seed(0)
    module = Noisy(DRAWS[name])
    rows = Rows(torch.randn(5, 6), torch.zeros(5))
    return module, TorchProbe(module, sum_outputs, rows, chunk=chunk, route=route)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_all_points_draw_the_same(name):
    """Points of radius zero differ in nothing but their draws."""
    module, probe = probe_of(name)
    found = probe(initial_weights(module), some_points(module, signs=(0, 0, 0, 0)), np.arange(5))
    spread = 1e-4 if name == "bernoulli" else 1e-5  # rounding may move a number over its threshold
    assert np.ptp(found) < spread
    if name in BATCHED:
        assert probe.route == "rank_one", probe.reasons


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize("chunk", [0, 1, 3])
def test_every_route_draws_what_one_point_draws(name, chunk):
    module, probe = probe_of(name, chunk=chunk)
    weights, points = initial_weights(module), some_points(module, signs=(1, -1, 0, 1, -1))
    found = probe(weights, points, np.arange(5))
    for route in ("point_by_point", "vmapped"):
        _, other = probe_of(name, route)
        np.testing.assert_allclose(found, other(weights, points, np.arange(5)), rtol=1e-4)
        assert other.route == route, other.reasons


@pytest.mark.parametrize("name", ["dropout", "randn_like", "alpha dropout"])
def test_a_repeat_draws_the_same_and_another_round_does_not(name):
    module, probe = probe_of(name)
    weights = initial_weights(module)

    def at(round: int) -> np.ndarray:
        torch.rand(3)  # whoever else draws does not matter
        return probe(weights, some_points(module, signs=(0, 0), round=round), np.arange(5))

    first, again, other = at(1), at(1), at(2)
    assert first.tobytes() == again.tobytes()
    assert abs(first[0] - other[0]) > 1e-3


def test_the_callers_generator_is_left_alone():
    module, probe = probe_of("dropout")
    before = torch.get_rng_state()
    probe(initial_weights(module), some_points(module), np.arange(5))
    assert torch.equal(before, torch.get_rng_state())
