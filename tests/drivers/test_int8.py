"""A run of int8 weights: the radius is a step, and what would break the grid is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baffle.backends.torch import model_signature
from baffle.config import resolve
from baffle.drivers.build import first_plan, policy, update_spec
from baffle.errors import ConfigError
from baffle.int8 import to_int8

OWN = {
    "data": {"name": "own", "partition": "own", "partition_options": {}},
    "model": {"name": "own"},
    "update": {"step_size": 0.01},
}


@pytest.fixture(scope="module")
def signature():
    return model_signature(to_int8(nn.Sequential(nn.Linear(3, 2)), [torch.randn(4, 3)]))


def test_the_radius_is_a_step_and_stays(signature):
    settings = resolve(OWN)
    assert first_plan(settings, signature).radius_exponent == -7
    assert not policy(settings, signature).auto_radius
    assert policy(settings, model_signature(nn.Linear(3, 2))).auto_radius
    first_plan(resolve(OWN, {"probe": {"radius": 2.0**-7}}), signature)


@pytest.mark.parametrize(
    "probe",
    [
        {"radius": 0.004},
        {"radius": 0.5},
        {"radii": "by_tensor"},
        {"num_local_steps": 2},
        {"directions": "gaussian"},
    ],
)
def test_what_would_break_the_grid_is_refused(signature, probe):
    with pytest.raises(ConfigError, match=r"int8 weights move by one step: expected probe\.radius"):
        first_plan(resolve(OWN, {"probe": probe}), signature)


def test_only_who_rounds_says_so():
    assert "stochastic" not in update_spec(resolve(OWN)).stated()
    rounding = resolve(OWN, {"update": {"rounding": "stochastic"}})
    assert update_spec(rounding).stated()["stochastic"] is True
