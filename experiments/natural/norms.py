"""Models with batch norm, which the library does not offer, in the place of group norm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baffle.backends.torch import Examples
from baffle.config import Settings
from baffle.data import Dataset
from baffle.drivers.local.task import Task, TensorExamples, task_of
from baffle.models import build

FRESH, MEASURED = "batch", "batch-measured"
EXAMPLES = 1024  # that statistics are measured on


def task(settings: Settings) -> Task:
    """Return model and data; the option norm may also be one of the two kinds of batch norm.

    FRESH has the statistics that a new layer has, mean 0 and variance 1. MEASURED has those of the
    first train examples at the initial weights. Neither moves afterwards: a probe looks at a model
    in eval mode, and so does every baseline here.
    """
    made = task_of(_grouped(settings))
    return replace(made, model=normed(made.model, settings, made.train))


def model_of(settings: Settings, data: Dataset) -> nn.Module:
    """Return the same model alone."""
    m = _grouped(settings).model
    model = build(m.name, data.in_shape, data.classes, settings.key, **m.options)
    train = TensorExamples(torch.from_numpy(data.train_x), torch.from_numpy(data.train_y))
    return normed(model, settings, train)


def normed(model: nn.Module, settings: Settings, train: Examples) -> nn.Module:
    """Return a model with the batch norm that its settings name, if they do."""
    norm = settings.model.options.get("norm")
    if norm in (FRESH, MEASURED):
        to_batch_norm(model)
    if norm == MEASURED:
        measure(model, train.batch(np.arange(min(EXAMPLES, len(train))))[0])
    return model


def _grouped(settings: Settings) -> Settings:
    """Return settings that the library can build: group norm in the place of batch norm."""
    options: dict[str, Any] = dict(settings.model.options)
    if options.get("norm") in (FRESH, MEASURED):
        options["norm"] = "group"
    model = settings.model.model_copy(update={"options": options})
    return settings.model_copy(update={"model": model})


def to_batch_norm(model: nn.Module) -> None:
    """Replace each GroupNorm by a BatchNorm1d without weights, in place.

    Example:
        >>> model = nn.Sequential(nn.GroupNorm(2, 4, affine=False))
        >>> to_batch_norm(model)
        >>> model[0].num_features
        4
    """
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.GroupNorm):
                batch = nn.BatchNorm1d(layer.num_channels, affine=False, momentum=None)
                setattr(parent, name, batch)


def measure(model: nn.Module, inputs: Tensor) -> None:
    """Set the statistics of batch norm to those of some inputs, and go back to eval mode."""
    model.train()
    with torch.no_grad():
        model(inputs)
    model.eval()
