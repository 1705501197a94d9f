"""From a cell's settings to a compressed model, its loss and the clients' examples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from baffle.backends.torch import evaluate, initial_weights
from baffle.config import Settings
from baffle.data import Dataset, load, partition
from baffle.drivers.local.task import Task, TensorExamples
from baffle.models.trained_part import features, split_frozen
from experiments.compressed.forms import FORMS, Check
from experiments.compressed.pretrained import residual, taught
from experiments.finetuning.images import RESNET_MEAN, RESNET_STD

ALPHA = 1.0  # of the Dirichlet draw of each client's classes
SHARE = 2000  # of CIFAR-10's test pictures: the clients', and as many to test on
CALIBRATION = 512  # of the public rows: what a form may look at, at most


@dataclass(frozen=True)
class Rows:
    """A task's network, and rows: public ones that taught it, the clients', those to test on."""

    network: nn.Module
    public: Tensor
    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def _digits() -> Rows:
    return _taught("mlp", load("digits"), 400, 1442)


def _mnist() -> Rows:
    return _taught("lenet5", load("mnist", size=28), 2000, 6000)


def _taught(model: str, data: Dataset, public: int, most: int) -> Rows:
    x, y, test_x, test_y = _tensors(data)
    network = taught(model, x[:public], y[:public])
    return Rows(network, x[:public], x[public:most], y[public:most], test_x, test_y)


def _cifar() -> Rows:
    """The network has seen the train pictures: clients have half of 4,000 test pictures."""
    taught_by, _, x, y = _tensors(load("cifar10", normalise=False))
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (RESNET_MEAN, RESNET_STD))
    public, x = ((rows - mean) / std for rows in (taught_by[:CALIBRATION], x[: 2 * SHARE]))
    y = y[: 2 * SHARE].clone()
    return Rows(residual(), public, x[:SHARE], y[:SHARE], x[SHARE:], y[SHARE:])


def _tensors(data: Dataset) -> tuple[Tensor, ...]:
    arrays = (data.train_x, data.train_y, data.test_x, data.test_y)
    return tuple(torch.from_numpy(array) for array in arrays)


TASKS: Mapping[str, Callable[[], Rows]] = {"digits": _digits, "mnist": _mnist, "cifar": _cifar}


@cache
def rows_of(task: str) -> Rows:
    """Return a task's network and rows; the network is nobody's to change."""
    return TASKS[task]()


def named(settings: Settings) -> tuple[str, str]:
    """Return the task and form that settings are of."""
    return settings.data.options["task"], settings.model.options["form"]


@dataclass(frozen=True)
class Compressed:
    """A network in a form, behind its frozen beginning: rows are what that makes of them."""

    rest: nn.Module
    check: Check
    x: Tensor
    test_x: Tensor


@lru_cache(maxsize=1)
def compressed(task: str, form: str) -> Compressed:
    """Return a task's network in a form; the rest is nobody's to change."""
    rows = rows_of(task)
    whole, check = FORMS[form].make(rows.network, rows.public[:CALIBRATION])
    assert isinstance(whole, nn.Sequential)
    frozen, rest = split_frozen(whole)  # under the same names, so that the check knows them
    x, test_x = (features(frozen, x) if len(frozen) else x for x in (rows.x, rows.test_x))
    return Compressed(rest, check, x, test_x)


@cache
def accuracy_before(task: str) -> float:
    """Return the test accuracy of a task's network before it is compressed."""
    rows = rows_of(task)
    test = TensorExamples(rows.test_x, rows.test_y)
    return evaluate(rows.network, initial_weights(rows.network), test, cross_entropy)[1]


def task_of(settings: Settings) -> Task:
    """Return what `data.options` and `model.options` name, clients' rows dealt by the run's key."""
    name, form = named(settings)
    found, rows = compressed(name, form), rows_of(name)
    train, test = TensorExamples(found.x, rows.y), TensorExamples(found.test_x, rows.test_y)
    model = copy.deepcopy(found.rest)
    return Task(model, cross_entropy, train, _dealt(rows.y, settings), test)


def _dealt(labels: Tensor, settings: Settings) -> list[NDArray[np.int64]]:
    """Return each client's rows: shares of the classes that differ by client."""
    y = labels.numpy()
    known = Dataset("labels", *(np.zeros((len(y), 1), np.float32), y) * 2, classes=10)
    clients, key = settings.federation.clients, settings.key
    return list(partition("dirichlet", known, clients, key, alpha=ALPHA, min_rows=8))
