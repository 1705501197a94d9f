"""Plain inference with each point's weights in the parameters' place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baffle.backends.torch import TorchProbe, initial_weights
from baffle.directions import KINDS
from tests.backends import modules, strategies
from tests.backends.helpers import Rows, assert_agrees, bits, some_points, sum_outputs

NAME = "point_by_point"


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@settings(max_examples=40, deadline=None)
@given(
    st.one_of(strategies.linear_stacks(), strategies.convolutions(), strategies.normalised()),
    strategies.signs,
    st.sampled_from(sorted(KINDS)),
)
def test_every_kind_of_layer_and_direction(case, signs, kind):
    module, x = case
    points = some_points(module, kind, signs)
    assert assert_agrees(module, x, torch.zeros(len(x)), points, route=NAME).route == NAME


def test_channels_last_weights_and_tied_ones():
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    assert not conv.weight.is_contiguous()
    for module, x in (
        (conv, torch.randn(2, 4, 5, 5)),
        (modules.Tied(), torch.randint(0, 11, (3, 4))),
    ):
        probe = assert_agrees(module, x, torch.zeros(len(x)), some_points(module), route=NAME)
        assert probe.route == NAME


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_precisions_keep_their_bits(dtype):
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)  # from float32
    probe = TorchProbe(
        module, sum_outputs, Rows(torch.randn(3, 6).to(dtype), torch.zeros(3)), route=NAME
    )
    before, memory = bits(module), [p.data_ptr() for p in module.parameters()]
    weights = initial_weights(module)
    found = probe(weights, some_points(module), np.arange(3))
    batched = TorchProbe(module, sum_outputs, probe.examples)(
        weights, some_points(module), np.arange(3)
    )
    within = 256 * torch.finfo(dtype).eps
    np.testing.assert_allclose(found, batched, rtol=within, atol=within)
    assert probe.route == NAME
    assert bits(module) == before
    assert memory == [p.data_ptr() for p in module.parameters()]


class Fails(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(6, 3), 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 12:
            raise KeyboardInterrupt
        return self.layer(x)


def test_parameters_point_at_their_own_memory_after_an_interrupt():
    module = Fails()
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(3, 6), torch.zeros(3)), route=NAME)
    before, memory = bits(module), [p.data_ptr() for p in module.parameters()]
    with pytest.raises(KeyboardInterrupt):
        probe(initial_weights(module), some_points(module, signs=(1,) * 12), np.arange(3))
    assert module.calls == 12
    assert bits(module) == before
    assert memory == [p.data_ptr() for p in module.parameters()]


def test_a_long_pass_over_a_small_model_goes_this_way_by_itself():
    module = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3))
    x = torch.randn(16, 3, 64, 64)
    probe = TorchProbe(module, sum_outputs, Rows(x, torch.zeros(16)))
    probe(initial_weights(module), some_points(module), np.arange(16))
    assert probe.route == NAME
    probe(initial_weights(module), some_points(module), np.arange(1))
    assert probe.route == "rank_one"


@pytest.mark.parametrize("chunk", [1, 4, 5, 64])
def test_a_batch_in_parts(chunk):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    points = some_points(module)
    x = torch.randn(9, 3, 8, 8)
    probe = assert_agrees(module, x, torch.zeros(9), points, route=NAME, chunk=chunk)
    assert probe.route == NAME
    assert not probe.reasons


def test_a_module_that_mixes_examples_gets_the_whole_batch():
    for name in ("mean", "by size", "running sum", "branches"):
        module = modules.Changed(modules.MIXING[name])
        points = some_points(module, signs=(1, 1, -1, 0))
        x = torch.randn(8, 4)
        probe = assert_agrees(module, x, torch.zeros(8), points, route=NAME, chunk=3)
        assert probe.route == NAME
        assert "mixes the examples" in probe.reasons[0]


def test_large_batches_are_taken_in_parts_and_mixing_ones_are_not():
    """Also in passes of one point by the batched way, which are checked without a copy."""

    class Mean(nn.Module):
        def forward(self, h):
            return h - h.mean(0)

    x = torch.randn(6, 1, 1024, 1024) + torch.arange(6.0).view(6, 1, 1, 1)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
    for extra, mixes in ((nn.Identity(), False), (Mean(), True)):
        module = nn.Sequential(nn.Conv2d(1, 1, 1), pool, extra, nn.Linear(16, 2))
        for options in ({}, {"chunk": 1, "route": "rank_one"}):
            probe = assert_agrees(module, x, torch.zeros(6), some_points(module), **options)
            assert bool(probe.reasons) == mixes, (options, probe.reasons)
