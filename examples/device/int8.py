"""The digits' perceptron, taught a little in floats, then int8: where the int8 run begins.

Whoever serves it and whoever exports it run this file on one machine, and get the same weights.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from baffle.data import load
from baffle.int8 import to_int8
from baffle.models import build

ROWS, STEPS = 200, 100


def taught():
    """Return the model."""
    data = load("digits")
    x, y = torch.from_numpy(data.train_x[:ROWS]), torch.from_numpy(data.train_y[:ROWS])
    module = build("mlp", (64,), classes=10, seed=0)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimiser.zero_grad()
        cross_entropy(module(x), y).backward()
        optimiser.step()
    return to_int8(module, [x], room=4)
