"""What is the same at every point is computed once, and never wrongly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from baffle.backends.torch import TorchProbe, initial_weights
from tests.backends.helpers import Rows, assert_agrees, some_points, sum_outputs


class Backbone(nn.Module):
    """A frozen network of many kinds of operation before a trained layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.table = nn.Parameter(torch.randn(1, 64, 8))
        self.attention = nn.Linear(8, 24)
        self.requires_grad_(False)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        batch, side = x.shape[0], x.shape[-1]
        h = functional.hardswish(self.norm(self.conv(x * 2 - 1)))
        h = h.flatten(2).transpose(1, 2) + self.table
        q, k, v = self.attention(h).view(batch, side * side, 3, 2, 4).permute(2, 0, 3, 1, 4)
        h = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, 8)
        h = torch.cat((h[:, :32], h[:, 32:].mul(0.5)), dim=1)
        return self.head(h.mean(dim=1))


def flops(module: nn.Module, x, points: int) -> int:
    probe = TorchProbe(module, sum_outputs, Rows(x, torch.zeros(len(x))), chunk=points)
    weights, at = initial_weights(module), some_points(module, signs=(1, -1) * (points // 2))
    probe(weights, at, np.arange(len(x)))  # the check is not counted
    assert probe.route == "rank_one", probe.reasons
    with FlopCounterMode(display=False) as counter:
        probe(weights, at, np.arange(len(x)))
    return counter.get_total_flops()


def test_a_frozen_backbone_is_computed_once():
    module, x = Backbone(), torch.randn(5, 3, 8, 8)
    assert_agrees(module, x, torch.zeros(5), some_points(module))
    with FlopCounterMode(display=False) as counter:
        module(x)
    once = counter.get_total_flops()
    assert flops(module, x, 16) < 1.2 * once


def test_a_frozen_layer_between_trained_ones_is_computed_at_every_point():
    module = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    module[1].requires_grad_(False)
    x = torch.randn(4, 6)
    assert flops(module, x, 8) > 8 * 2 * 4 * 36
    assert_agrees(module, x, torch.zeros(4), some_points(module))


class Changed(nn.Module):
    """Something done to the inputs, which are the same at every point, before a trained layer."""

    def __init__(self, change) -> None:
        super().__init__()
        self.change, self.layer = change, nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(self.change(x))


def _writes(x):
    x.mul_(2)
    return x + 1


def _into_a_copy(x):
    y = x.clone()
    y[:, 0] = 0.5
    return y


def _reads(x):
    return x if bool((x > -100).all()) else -x


CHANGES = {
    "mean": lambda x: x - x.mean(0),
    "flip": lambda x: x + x.flip(0) ** 2,
    "sorted": lambda x: x.sort(0).values,
    "by size": lambda x: x / len(x),
    "transposed twice": lambda x: (x.t() * 2).t(),
    "norm of all": lambda x: x / (1 + x.norm()),
    "reads": _reads,
    "writes": _writes,
    "writes into a copy": _into_a_copy,
    "first": lambda x: x[0] + x,
    "view": lambda x: x.view(x.shape[0], 2, 2).transpose(1, 2).reshape(x.shape[0], -1),
    "view of rows times columns": lambda x: x.reshape(x.shape[0] * 2, 2).tanh().view(-1, 4),
    "expand": lambda x: x + torch.ones(1, 4).expand(x.shape[0], 4),
    "mask": lambda x: x.masked_fill(x > 0, 0.0) + (x != x),
    "zeros": lambda x: torch.cat((torch.zeros(x.shape[0], 2), x[:, 2:]), dim=1),
    "where": lambda x: torch.where(x > 0, x, -x),
    "chunks": lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1),
    "one hot": lambda x: functional.one_hot((x[:, 0] > 0).long(), 4).float() + x,
}


@pytest.mark.parametrize("name", sorted(CHANGES))
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_whatever_is_done_to_inputs_is_right(name, batch):
    torch.manual_seed(batch)
    module = Changed(CHANGES[name])
    x = torch.randn(batch, 4)
    kept = x.clone()
    assert_agrees(module, x, torch.zeros(batch), some_points(module))
    assert torch.equal(x, kept)


@pytest.mark.parametrize("name", ["mean", "flip", "sorted", "norm of all", "reads", "writes"])
def test_mixing_shared_inputs_needs_no_slow_route(name):
    module = Changed(CHANGES[name])
    x = torch.randn(3, 4)
    assert assert_agrees(module, x, torch.zeros(3), some_points(module)).route == "rank_one"


def test_sizes_that_look_like_a_count_of_rows():
    """P·B = 8 rows and a layer of 8: it is not taken for the rows where it is not first."""

    class Eight(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, x):
            return self.layer(x.view(-1, 8).reshape(x.shape[0], 8).view(x.shape[0], 8))

    module = Eight()
    probe = assert_agrees(module, torch.randn(2, 8), torch.zeros(2), some_points(module), chunk=4)
    assert probe.route == "rank_one"
