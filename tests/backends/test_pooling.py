"""Maximum pooling by shifts gives what torch gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from baffle.backends.torch.rules.pooling import max_pool2d
from tests.backends.helpers import assert_agrees, some_points

sides = st.integers(1, 4)


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(sides, sides), st.one_of(st.none(), sides, st.tuples(sides, sides)),
    st.integers(0, 1), st.integers(1, 2), st.booleans(), st.integers(4, 9), st.integers(4, 9),
    st.booleans(), st.integers(0, 2**31 - 1),
)  # fmt: skip
def test_same_numbers(window, stride, padding, dilation, ceil, height, width, nan, seed):
    torch.manual_seed(seed)
    if 2 * padding > min(window) or any(dilation * (k - 1) + 1 > 4 for k in window):
        return
    x = torch.randn(2, 3, height, width)
    if nan:
        x[0, 1, 2, 3] = torch.nan
    options = (window, stride, padding, dilation, ceil)
    expected = functional.max_pool2d(x, *options)
    assert torch.equal(max_pool2d(x, *options).nan_to_num(9e9), expected.nan_to_num(9e9))
    values, places = max_pool2d(x, *options, True)
    assert torch.equal(values.nan_to_num(9e9), expected.nan_to_num(9e9))
    assert places.dtype == torch.int64


@pytest.mark.parametrize("window", [2, 3, (1, 2), 7])
def test_in_a_pass(window):
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(window), nn.Flatten(), nn.LazyLinear(3))
    x = torch.randn(3, 1, 8, 9)
    module(x)
    assert assert_agrees(module, x, torch.zeros(3), some_points(module)).route == "rank_one"
