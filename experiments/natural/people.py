"""Accuracy person by person, of a finished run's last weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import nn

from baffle.backends.torch import evaluate
from baffle.data import Dataset, load
from baffle.drivers.local.task import TensorExamples
from baffle.report.runs import read_settings
from experiments.natural.norms import model_of

LEAST_ROWS = 5  # of a person in the test set, to say anything of them
DECILE = 0.1


def after(folder: Path) -> Mapping[str, Any]:
    """Return the loss on all train rows, and the accuracy of the worst decile of people."""
    settings = read_settings(folder)
    data = load(settings.data.name, settings.data.root or None, **settings.data.options)
    made = model_of(settings, data)
    loss, right = judged(made, load_file(folder / "model.safetensors"), data)
    (ids,) = data.natural_test.values()
    people = by_person(right, ids)
    return {
        "train_loss": loss,
        "people": len(people),
        "worst_decile": worst_decile(people),
        "worst": float(people.min()),
    }


def judged(
    model: nn.Module, weights: Mapping[str, Any], data: Dataset
) -> tuple[float, NDArray[np.bool_]]:
    """Return the mean loss on the train rows, and which test rows are right."""
    train = TensorExamples(torch.from_numpy(data.train_x), torch.from_numpy(data.train_y))
    loss, _ = evaluate(model, weights, train, nn.functional.cross_entropy, 4096)
    model.eval()
    with torch.no_grad():
        found = model(torch.from_numpy(data.test_x)).argmax(dim=1).numpy()
    return loss, found == data.test_y


def by_person(right: NDArray[np.bool_], ids: NDArray[Any]) -> NDArray[np.float64]:
    """Return the accuracy of each person that has LEAST_ROWS test rows or more.

    Example:
        >>> by_person(np.array([True] * 5 + [False, True]), np.array([1] * 5 + [2] * 2))
        array([1.])
    """
    _, who, counts = np.unique(ids, return_inverse=True, return_counts=True)
    shares = np.bincount(who, weights=right) / counts
    return np.asarray(shares[counts >= LEAST_ROWS])


def worst_decile(people: NDArray[np.float64]) -> float:
    """Return the mean accuracy of the tenth of people, rounded up, for whom it is least.

    Example:
        >>> worst_decile(np.arange(20) / 20)
        0.025
    """
    many = math.ceil(DECILE * len(people))
    return float(np.sort(people)[:many].mean())
