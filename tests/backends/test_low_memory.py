"""The mode that keeps to the memory of plain inference, in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import TorchProbe, initial_weights
from tests.backends.helpers import Rows, assert_agrees, bits, some_points, sum_outputs

CODE = """
import sys, numpy as np, torch
from pathlib import Path
torch.set_num_threads(1)
from torch import nn
from baffle.backends.torch import TorchProbe
from baffle.directions import Place, Points, make_kind
module = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(16)))
class Rows:
    def __len__(self): return 8
    def batch(self, numbers): return torch.zeros(8, 1024), torch.zeros(8)
weights = {name: p.detach().numpy() for name, p in module.named_parameters()}
points = Points(Place(1, 0), make_kind("rank_one", 1), (-9,) * 32, np.arange(4, dtype=np.uint32),
                np.ones(4, np.int8))
with torch.inference_mode():
    module(Rows().batch(0)[0])
def peak():  # of this process alone; the resource module also counts the one it was forked from
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
probe = TorchProbe(module, lambda o, t: (o.mean(1) - t).square().mean(), Rows(),
                   low_memory=sys.argv[1] == "low", route=sys.argv[2])
probe(weights, points, np.arange(8))
print(probe.route, (peak() - before) / 1024)
"""
MODEL_MIB = 16 * 4


def grown(*arguments: str) -> tuple[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=True
    )
    route, mib = done.stdout.split()
    return route, float(mib)


@pytest.mark.slow
def test_no_second_copy_of_the_weights_is_made():
    route, mib = grown("low", "")
    assert route == "rank_one"
    assert mib < MODEL_MIB / 4
    route, mib = grown("", "point_by_point")
    assert route == "point_by_point"
    assert mib > MODEL_MIB * 0.9  # which this measurement would have seen


@pytest.mark.parametrize("frozen", [False, True])
def test_one_point_a_pass_is_right(frozen):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8 * 9, 5),
    )  # fmt: skip
    module[0].requires_grad_(not frozen)
    x = torch.randn(5, 3, 8, 8)
    probe = assert_agrees(module, x, torch.zeros(5), some_points(module), chunk=1)
    assert probe.route == "rank_one"


def test_poison_is_gone_after_the_check_whatever_it_finds():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.calls = nn.Linear(4, 3), 0

        def forward(self, x):
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return self.layer(x)

    module = Picky()
    probe = TorchProbe(module, sum_outputs, Rows(torch.randn(3, 4), torch.zeros(3)), chunk=1)
    before, memory = bits(module), module.layer.weight.data_ptr()
    with pytest.raises(KeyboardInterrupt):
        probe(initial_weights(module), some_points(module), np.arange(3))
    assert module.calls == 3
    assert bits(module) == before
    assert module.layer.weight.data_ptr() == memory
