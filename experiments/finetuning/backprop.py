"""The same trained part by back-propagation: FedAvg with stated local steps.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS
2017, algorithm 1: each asked client takes SGD steps of its own from the round's weights, and the
server takes the mean of what they come to.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.backends.torch.adapter import trained_parameters
from baffle.cohort import draw_cohort
from baffle.drivers.local.task import Task

LOCAL_STEPS, BATCH = 5, 4
PASSES = 3  # a training step's multiply-adds over a forward pass's: forward, and twice backward


@dataclass(frozen=True)
class Trained:
    """What FedAvg came to: the mean loss of the last quarter of rounds, and what it cost."""

    loss: float
    examples: int
    bytes_up: int
    seconds: float


def fedavg(task: Task, key: int, rounds: int, cohort: int, step_size: float) -> Trained:
    """Train the task's model in place.

    Args:
        task: whose trained parameters move; norms keep their statistics.
        key: run key, of cohorts and batches.
        rounds, cohort: as the run by probes has them.
        step_size: of the clients' SGD.

    Returns:
        `examples` that went forwards and backwards, `bytes_up` of all clients: four a weight.
    """
    parameters = trained_parameters(task.model.eval())
    started, losses, examples = time.perf_counter(), list[float](), 0
    for number in range(rounds):
        asked = draw_cohort(key, number, len(task.rows), cohort)
        before = {name: p.detach().clone() for name, p in parameters.items()}
        total = {name: torch.zeros_like(p) for name, p in parameters.items()}
        for client in asked.tolist():
            _load(parameters, before)
            seed = np.random.Philox(key=key << 64 | number << 32 | client)
            for rows in _batches(task.rows[client], np.random.Generator(seed)):
                losses.append(_step(task, list(parameters.values()), rows, step_size))
                examples += len(rows)
            for name, p in parameters.items():
                total[name] += p.detach() / len(asked)
        _load(parameters, total)
    tail = losses[-max(1, len(losses) // 4) :]
    mean = sum(tail) / len(tail)
    sent = 4 * sum(p.numel() for p in parameters.values()) * cohort * rounds
    loss = mean if math.isfinite(mean) else math.inf
    return Trained(loss, examples, sent, time.perf_counter() - started)


def _load(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])


def _batches(rows: NDArray[np.int64], generator: np.random.Generator) -> list[NDArray[np.int64]]:
    count = min(BATCH, len(rows))
    return [generator.choice(rows, count, replace=False) for _ in range(LOCAL_STEPS)]


def _step(
    task: Task, parameters: Sequence[Tensor], rows: NDArray[np.int64], step_size: float
) -> float:
    inputs, targets = task.train.batch(rows)
    loss = task.loss(task.model(inputs), targets)
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(step_size * gradient)
    return float(loss.detach())
