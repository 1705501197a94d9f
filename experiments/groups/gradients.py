"""The gradient that an estimate is of, by autograd: to compare with, the library takes none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call, grad, vmap

from baffle.drivers.local.task import Task
from baffle.updates.state import Slot

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """The gradient of all clients' data, and how far a client's batch is from it.

    Args:
        gradient: ∇F by tensor, the mean over clients of each one's mean gradient.
        norm: |∇F|².
        between: h², mean over clients of |∇F_c - ∇F|², over |∇F|².
        within: b², mean over clients of E|batch's gradient - ∇F_c|², over |∇F|².
    """

    gradient: dict[str, Vector]
    norm: float
    between: float
    within: float


def truth(task: Task, weights: Slot, batch: int) -> Truth:
    """Return the gradient at these weights.

    Args:
        task: model, loss, examples and who has which.
        weights: by tensor.
        batch: examples that a client draws, without putting any back.
    """
    flat = _each(task, weights)
    squares = np.einsum("ij,ij->i", flat, flat).astype(np.float64)
    clients = np.array([flat[rows].mean(axis=0) for rows in task.rows])
    whole = clients.mean(axis=0)
    norm, lengths = _square(whole), [_square(mean) for mean in clients]
    within = [
        _of_batch(squares[rows].mean() - length, len(rows), batch)
        for rows, length in zip(task.rows, lengths, strict=True)
    ]
    between = float(np.mean(lengths)) - norm
    return Truth(_shaped(whole, weights), norm, between / norm, float(np.mean(within)) / norm)


def _each(task: Task, weights: Slot) -> Vector:
    """Return every example's gradient; float32 [examples, d]."""
    inputs, targets = task.train.batch(np.arange(len(task.train)))
    values = {name: torch.tensor(np.asarray(array)) for name, array in weights.items()}

    def loss(values: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return task.loss(functional_call(task.model, values, (x[None],)), y[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(values, inputs, targets)
    flat: Vector = torch.cat([found[name].flatten(1) for name in weights], dim=1).numpy()
    return flat


def _shaped(flat: Vector, weights: Slot) -> dict[str, Vector]:
    shapes = {name: np.shape(array) for name, array in weights.items()}
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(flat, ends[:-1])
    return {n: part.reshape(shape) for (n, shape), part in zip(shapes.items(), parts, strict=True)}


def _square(vector: Vector) -> float:
    return float(np.sum(np.square(vector, dtype=np.float64)))


def _of_batch(variance: float, examples: int, batch: int) -> float:
    """Return E|mean of a batch - mean of all|², drawn without putting back.

    Args:
        variance: mean of |example - mean of all|².
        examples, batch: how many there are, how many are drawn.
    """
    drawn = min(batch or examples, examples)
    return variance * (examples - drawn) / (drawn * max(1, examples - 1))
