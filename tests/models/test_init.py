from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from baffle.errors import ModelError
from baffle.models.init import initialise, uniform


def test_golden() -> None:
    drawn = uniform((4,), 1.0, 0, "golden")
    assert [float(value).hex() for value in drawn] == [
        "0x1.50d5200000000p-2",
        "-0x1.55e3000000000p-2",
        "-0x1.0e61000000000p-2",
        "-0x1.f78eb00000000p-1",
    ]


def test_uniform_to_the_bounds() -> None:
    drawn = uniform((100_000,), 0.25, 0, "many").astype(np.float64)
    assert -0.25 <= drawn.min() < -0.2499 < 0.2499 < drawn.max() <= 0.25
    assert abs(drawn.mean()) < 4 * 0.25 / math.sqrt(3e5)
    assert drawn.var() == pytest.approx(0.25**2 / 3, rel=0.01)


def test_equal_layers_get_other_weights() -> None:
    model = nn.Sequential(nn.Linear(50, 50), nn.Linear(50, 50))
    initialise(model, seed=0)
    pair = torch.stack([model[0].weight.flatten(), model[1].weight.flatten()])
    assert abs(torch.corrcoef(pair)[0, 1]) < 0.08  # standard deviation 0.02


@pytest.mark.parametrize(
    ("init", "weight", "bias"),
    [("torch", 1 / math.sqrt(75), 1 / math.sqrt(75)), ("he", math.sqrt(6 / 75), 0)],
)
def test_bounds_follow_the_fan_in(init: str, weight: float, bias: float) -> None:
    layer = nn.Conv2d(3, 200, 5)
    initialise(layer, seed=1, init=init)
    assert layer.weight.abs().max().item() == pytest.approx(weight, rel=1e-3)
    assert layer.bias.abs().max().item() == pytest.approx(bias, rel=0.05)


def test_unknown_layers_with_weights_are_refused() -> None:
    with pytest.raises(ModelError, match=r"found some in '1' \(LayerNorm\)"):
        initialise(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), seed=0)
