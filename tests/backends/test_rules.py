"""Every rule of the batched pass against the slow truth, on drawn shapes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baffle.directions import KINDS
from tests.backends import modules, strategies
from tests.backends.helpers import assert_agrees, mean_square, some_points

FAST = settings(max_examples=60, deadline=None)


def _agrees(module, x, signs, chunk, round=1, kind="rank_one"):
    module.train()  # the probe is to see to eval mode itself
    points = some_points(module, kind, signs, round=round)
    probe = assert_agrees(module, x, torch.zeros(len(x)), points, chunk=chunk)
    assert probe.route == ("rank_one" if kind == "rank_one" else "vmapped"), probe.reasons
    assert module.training


@FAST
@given(strategies.linear_stacks(), strategies.signs, strategies.chunks, st.integers(0, 99))
def test_linear(case, signs, chunk, round):
    _agrees(*case, signs, chunk, round)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # of even kernels
@FAST
@given(strategies.convolutions(), strategies.signs, strategies.chunks)
def test_convolution(case, signs, chunk):
    _agrees(*case, signs, chunk)


@FAST
@given(strategies.normalised(), strategies.signs, strategies.chunks)
def test_norm(case, signs, chunk):
    _agrees(*case, signs, chunk)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@settings(max_examples=20, deadline=None)
@given(
    st.one_of(strategies.linear_stacks(), strategies.convolutions(), strategies.normalised()),
    strategies.signs,
    strategies.chunks,
    st.sampled_from(sorted(set(KINDS) - {"rank_one"})),
)
def test_dense_kinds(case, signs, chunk, kind):
    _agrees(*case, signs, chunk, kind=kind)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("chunk", [0, 1, 3])
def test_written_by_hand(batch, kind, chunk):
    torch.manual_seed(batch)
    cases = [
        (modules.Tied(), torch.randint(0, 11, (batch, 4))),
        (modules.Free(), torch.randn(batch, 5)),
        (modules.Interleaved(), torch.randn(batch, 2, 3)),
    ]
    for module, x in cases:
        points = some_points(module, kind, (1, -1, 0, 1, 1))
        probe = assert_agrees(module, x, torch.zeros(batch), points, operations=40, chunk=chunk)
        assert probe.route == ("rank_one" if kind == "rank_one" else "vmapped"), probe.reasons


@pytest.mark.parametrize("frozen", ["0.weight", "0.bias", "2.weight", "2.bias"])
def test_partly_frozen(frozen):
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    module.get_parameter(frozen).requires_grad_(False)
    probe = assert_agrees(module, torch.randn(5, 4), torch.zeros(5), some_points(module))
    assert probe.route == "rank_one"
    assert frozen not in {t.name for _, t in probe.signature.trained}


def test_only_a_bias_of_a_convolution():
    module = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4, affine=False))
    module[0].weight.requires_grad_(False)
    x = torch.randn(3, 2, 5, 5)
    assert assert_agrees(module, x, torch.zeros(3), some_points(module)).route == "rank_one"


def test_named_inputs_and_nested_outputs():
    module = modules.Dicts()
    inputs = {"left": torch.randn(4, 3), "right": torch.randn(4, 2)}
    probe = assert_agrees(module, inputs, torch.zeros(4), some_points(module))
    assert probe.route == "rank_one"


def test_several_inputs():
    module = nn.Bilinear(3, 2, 4)
    inputs = (torch.randn(5, 3), torch.randn(5, 2))
    probe = assert_agrees(module, inputs, torch.randn(5, 4), some_points(module), mean_square)
    assert probe.route == "rank_one"


def test_one_example_one_point():
    module = nn.Linear(1, 1)
    points = some_points(module, signs=(1,))
    assert assert_agrees(module, torch.ones(1, 1), torch.ones(1), points).route == "rank_one"


def test_many_rows_and_few_outputs():
    """Where the product is padded to sixteen outputs."""
    module = nn.Sequential(nn.Linear(6, 7), nn.ReLU(), nn.Linear(7, 10), nn.Linear(10, 3))
    points = some_points(module, signs=(1, -1, 1, 0, -1))
    for chunk in (1, 5):
        probe = assert_agrees(module, torch.randn(130, 6), torch.zeros(130), points, chunk=chunk)
        assert probe.route == "rank_one"
