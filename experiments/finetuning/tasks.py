"""From a cell's settings to a model, its loss and the clients' examples."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baffle.config import Settings
from baffle.data import Dataset, partition
from baffle.drivers.local.task import Task, TensorExamples
from experiments.finetuning import images, language
from experiments.finetuning.parts import PARTS

ALPHA = 1.0  # of the Dirichlet draw of each client's classes
KNOWN, UNSEEN = slice(images.ADAPT), slice(images.ADAPT, None)


def task_of(settings: Settings) -> Task:
    """Return the task that `data.options` and `model.options` name, for the run's key."""
    name, part = settings.data.options["task"], settings.model.options["part"]
    choose = partial(PARTS[name][part], key=settings.key)
    if name == "plays":
        return _plays(choose(language.network()))
    if name == "sst2":
        model, x, y, test_x, test_y = language.sentence_task(choose)
        train, test = TensorExamples(x, y), TensorExamples(test_x, test_y)
        return Task(model, cross_entropy, train, _dealt(y, settings), test)
    model, x, y = images.image_task(name, choose)
    train, test = (TensorExamples(x[s], y[s]) for s in (KNOWN, UNSEEN))
    return Task(model, cross_entropy, train, _dealt(y[KNOWN], settings), test)


def _plays(model: nn.Module) -> Task:
    tokens, rows, test, _ = language.plays()
    return Task(model, language.token_loss, shifted(tokens), rows, shifted(test))


def shifted(tokens: NDArray[np.int64]) -> TensorExamples:
    """Return rows of tokens as inputs, and as targets the token after each."""
    whole: Tensor = torch.from_numpy(tokens)
    return TensorExamples(whole[:, :-1].contiguous(), whole[:, 1:].contiguous())


def _dealt(labels: Tensor, settings: Settings) -> list[NDArray[np.int64]]:
    """Return each client's rows: shares of the classes that differ by client."""
    y = labels.numpy()
    known = Dataset("labels", *(np.zeros((len(y), 1), np.float32), y) * 2, classes=int(y.max()) + 1)
    clients, key = settings.federation.clients, settings.key
    return list(partition("dirichlet", known, clients, key, alpha=ALPHA, min_rows=8))
