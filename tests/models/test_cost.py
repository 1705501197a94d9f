from __future__ import annotations

import torch
from torch import nn

from baffle.models import Cost, count


def test_groups_strides_and_frozen_weights() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, groups=2, bias=False), nn.Flatten())
    # 8 channels of 3×3 outputs, each a sum over 2 channels of 3×3
    assert count(model, (4, 7, 7)) == Cost(parameters=144, multiply_adds=72 * 18)
    model.requires_grad_(False)
    assert count(model, (4, 7, 7)).parameters == 0


def test_a_layer_used_twice_costs_twice() -> None:
    layer = nn.Linear(5, 5)
    assert count(nn.Sequential(layer, layer), (5,)) == Cost(parameters=30, multiply_adds=50)


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    model[2].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count(model, (3,))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [layer.training for layer in model] == [True, True, False]
    assert not any(layer._forward_hooks for layer in model)
