"""The task of a cell; one of them has a model with another data set's batch statistics."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from baffle.config import Settings
from baffle.drivers.local.task import OWN, Task, task_of

PIXELS = 255.0  # the other data set's pixels go from 0 to this, the digits' to 1


def task_for(settings: Settings) -> Task:
    """Return what a configuration names, with the model below where it names none."""
    if settings.model.name != OWN:
        return task_of(settings)
    named = settings.model_copy(update={"model": settings.model.model_copy(update={"name": "mlp"})})
    task = task_of(named)
    return replace(task, model=_with_batch_norm(task.model))


def _with_batch_norm(model: nn.Module) -> nn.Module:
    """Return the digits' perceptron with a batch norm at its input, as if trained on bytes."""
    norm = nn.BatchNorm1d(64)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.fill_(PIXELS * 0.3)
    norm.running_var.fill_((PIXELS * 0.37) ** 2)
    layers = list(model.children())
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(layers[0], norm, *layers[1:])
