"""The gradient that an estimate is of, by autograd, and weights that have been trained a little."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from baffle.drivers.local.task import Task

STEPS, BATCH, STEP_SIZE = 150, 32, 3e-3


def gradient(task: Task, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return the gradient of the mean loss of some examples at the model's weights, by tensor."""
    inputs, targets = task.train.batch(rows)
    loss = task.loss(task.model.eval()(inputs), targets)
    names, parameters = zip(*task.model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters)
    return {n: g.numpy().astype(np.float64) for n, g in zip(names, found, strict=True)}


def train(task: Task, key: int) -> None:
    """Train the model by back-propagation and Adam: 150 mini-batches of 32.

    Args:
        task: whose model is written to.
        key: of the mini-batches.
    """
    optimiser = torch.optim.Adam(task.model.parameters(), lr=STEP_SIZE)
    order = np.random.Generator(np.random.Philox(key))
    for _ in range(STEPS):
        inputs, targets = task.train.batch(order.integers(len(task.train), size=BATCH))
        optimiser.zero_grad()
        task.loss(task.model(inputs), targets).backward()
        optimiser.step()
