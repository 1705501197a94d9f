"""What a federation learns: a model, a loss, the clients' examples, and a test set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.data import default_collate

from baffle.backends.torch import Examples
from baffle.config import Settings
from baffle.data import load, partition
from baffle.errors import ConfigError, DataError
from baffle.models import build

OWN = "own"
# Settings of a run whose model and data come from Python.
OWN_TASK: Mapping[str, Any] = {
    "data": {"name": OWN, "partition": OWN, "partition_options": {}},
    "model": {"name": OWN},
}
Loss = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class TensorExamples:
    """Examples held as two tensors with the examples on axis 0."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return these examples."""
        chosen = torch.from_numpy(numbers)
        return self.inputs[chosen], self.targets[chosen]


@dataclass(frozen=True)
class DatasetExamples:
    """Examples of a map-style data set whose items are (input, target)."""

    dataset: Any

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return these examples, collated."""
        inputs, targets = default_collate([self.dataset[int(n)] for n in numbers])
        return inputs, targets


@dataclass(frozen=True)
class JoinedExamples:
    """The examples of all clients, one client's behind another's."""

    parts: Sequence[Examples]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return these examples, which may be several clients'.

        Raises:
            DataError: the clients' examples differ in form.
        """
        whose = np.searchsorted(self.starts, numbers, side="right") - 1
        borders = np.flatnonzero(np.diff(whose)) + 1
        parts = [
            self.parts[client].batch(own - self.starts[client])
            for client, own in zip(
                whose[np.r_[0, borders]], np.split(numbers, borders), strict=True
            )
        ]
        return parts[0] if len(parts) == 1 else _behind_one_another(parts)


def _behind_one_another(batches: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return batches of one form as one batch."""
    flat = [pytree.tree_flatten(batch) for batch in batches]
    specs = {str(spec) for _, spec in flat}
    tensors = all(isinstance(x, Tensor) for leaves, _ in flat for x in leaves)
    types = [[(x.dtype, x.shape[1:]) for x in leaves] for leaves, _ in flat] if tensors else []
    if len(specs) > 1 or not tensors or any(t != types[0] for t in types):
        raise DataError("the clients' examples differ in form, so they do not make one batch")
    joined = [torch.cat(parts) for parts in zip(*(leaves for leaves, _ in flat), strict=True)]
    inputs, targets = pytree.tree_unflatten(joined, flat[0][1])
    return inputs, targets


@dataclass(frozen=True)
class Task:
    """What is learned, with what.

    Args:
        model: any module; its trainable parameters are trained.
        loss: (output, target) to the batch's mean loss, a scalar tensor.
        train: examples of all clients.
        rows: each client's rows of them.
        test: examples to evaluate on, or None.
    """

    model: nn.Module
    loss: Loss
    train: Examples
    rows: Sequence[NDArray[np.int64]]
    test: Examples | None


def task_of(settings: Settings) -> Task:
    """Return the task that a configuration names.

    Raises:
        DataError, ModelError: unknown names or options, missing or damaged files.
        ConfigError: options of the wrong type.
    """
    if OWN in (settings.model.name, settings.data.name):
        raise ConfigError(
            "this run's model or data came from Python: expected a named one; go on with "
            "baffle.federate(..., run_dir=…, resume=True) where the model is made"
        )
    d, m = settings.data, settings.model
    with _usable("data.options", d.options):
        data = load(d.name, d.root or None, **d.options)
    with _usable("data.partition_options", d.partition_options):
        rows = partition(
            d.partition, data, settings.federation.clients, settings.key, **d.partition_options
        )
    with _usable("model.options", m.options):
        model = build(m.name, data.in_shape, data.classes, settings.key, **m.options)
    train, test = (
        TensorExamples(torch.from_numpy(x), torch.from_numpy(y))
        for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y))
    )
    return Task(model, nn.functional.cross_entropy, train, rows, test)


@contextmanager
def _usable(name: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Say which options it is that a loader or a layer cannot use."""
    try:
        yield
    except TypeError as problem:
        raise ConfigError(f"{name} = {options} cannot be used: {problem}") from problem


def own_task(model: nn.Module, clients: Sequence[Any], loss: Loss, test: Any | None) -> Task:
    """Return a task of someone's own: a module and one data set a client.

    Args:
        model: any module.
        clients: one entry a client: a pair (inputs, targets) of arrays or tensors, or a map-style
            data set whose items are (input, target).
        loss: (output, target) to the batch's mean loss.
        test: the same form, or None.

    Raises:
        DataError: a client has no data, or inputs and targets of different lengths.
    """
    if not len(clients):
        raise DataError("expected at least one client, got none")
    parts = [examples_of(data, f"client {number}") for number, data in enumerate(clients)]
    lengths = np.array([len(p) for p in parts])
    starts = np.concatenate(([0], np.cumsum(lengths)))
    rows = [np.arange(a, b) for a, b in itertools.pairwise(starts.tolist())]
    tested = examples_of(test, "the test set") if test is not None else None
    return Task(model, loss, JoinedExamples(parts, starts), rows, tested)


def examples_of(data: Any, whose: str) -> Examples:
    """Return someone's data as numbered examples.

    Raises:
        DataError: no examples, or lengths that differ.
    """
    is_pair = isinstance(data, (tuple, list)) and len(data) == 2 and hasattr(data[0], "shape")
    if not is_pair:
        if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
            raise DataError(
                f"{whose}: expected a pair (inputs, targets) or a data set with len() and [i], "
                f"got {type(data).__name__}"
            )
        found: Examples = DatasetExamples(data)
    else:
        inputs, targets = (torch.as_tensor(part) for part in data)
        if len(inputs) != len(targets):
            raise DataError(
                f"{whose}: expected as many targets as inputs, got {len(inputs)} and {len(targets)}"
            )
        found = TensorExamples(inputs, targets)
    if not len(found):
        raise DataError(f"{whose} has no data: expected at least one example, got none")
    return found
