"""What a finished run's weights come to on the train rows, which step sizes are chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file
from torch import nn

from baffle.backends.torch import evaluate
from baffle.data import load
from baffle.drivers.local.task import TensorExamples
from baffle.models import build
from baffle.report.runs import read_settings


def train_loss(folder: Path) -> Mapping[str, Any]:
    """Return the mean loss of a run's last weights over all train rows, whosever they are."""
    settings = read_settings(folder)
    data = load(settings.data.name, settings.data.root or None, **settings.data.options)
    model = build(settings.model.name, data.in_shape, data.classes, 0, **settings.model.options)
    train = TensorExamples(torch.from_numpy(data.train_x), torch.from_numpy(data.train_y))
    weights = load_file(folder / "model.safetensors")
    loss, _ = evaluate(model, weights, train, nn.functional.cross_entropy, 4096)
    return {"train_loss": loss}
