"""What a fleet's server and its clients work with: the named model and data, or someone's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch import Examples, evaluate, model_signature
from baffle.config import Settings, resolve
from baffle.directions import ModelSignature, Probe
from baffle.drivers.local.engine import choose_engine, probe_of
from baffle.drivers.local.roster import RowsProbe
from baffle.drivers.local.task import OWN, Loss, Task, examples_of, task_of
from baffle.errors import ConfigError, DataError
from baffle.protocol import Genesis
from baffle.protocol.exchange import Evaluation
from baffle.updates.state import Slot

FINGERPRINT_EXAMPLES = 256
NodeConfig = Mapping[str, bool | int | float | str]
MakeModel = Callable[[], nn.Module]
MakeData = Callable[[NodeConfig], Any]


@dataclass(frozen=True)
class ServerTask:
    """What a server works with.

    Args:
        model: whose tensors are trained; its weights are those that the run begins with.
        loss: (output, target) to the batch's mean loss, for evaluation.
        test: examples to evaluate on at the server, or None.
        whole: the whole task, where the server has the clients' data as well (named data).
    """

    model: nn.Module
    loss: Loss
    test: Examples | None
    whole: Task | None = None


def server_task(
    settings: Settings, make_model: MakeModel | None, test: Any, loss: Loss
) -> ServerTask:
    """Return a server's task.

    Args:
        settings: of the run.
        make_model: makes the model; None for the one that the settings name.
        test: pair or data set to evaluate on, or a function that makes it; None for none.
        loss: for an own model.

    Raises:
        ConfigError: the model is neither named nor made.
    """
    if make_model is None:
        if settings.model.name == OWN:
            raise ConfigError(
                "model.name is 'own': give `baffle gateway` --model, or server_app a make_model"
            )
        whole = task_of(settings)  # not the shared one, whose weights change
        return ServerTask(whole.model, whole.loss, whole.test, whole)
    found = test() if callable(test) else test
    examples = examples_of(found, "the test set") if found is not None else None
    return ServerTask(make_model(), loss, examples)


@lru_cache(maxsize=2)
def _named(settings: str) -> Task:
    return task_of(Settings.model_validate_json(settings))


def named_task(settings: Settings) -> Task:
    """Return the task that settings name; clients in one process share it."""
    return _named(settings.model_dump_json())


@dataclass
class TorchBacking:
    """A client's model and data.

    Args:
        task: with this client's rows alone.
        settings: of the run; the engine's choices are made here where the run leaves them open.
        held_out: rows of the task's test examples that are this client's, None for none.
    """

    task: Task
    settings: Settings
    held_out: NDArray[np.int64] | None = None

    @cached_property
    def signature(self) -> ModelSignature:
        """Of the model."""
        return model_signature(self.task.model)

    @property
    def examples(self) -> int:
        """How many it trains on."""
        return len(self.task.rows[0])

    @cached_property
    def probe(self) -> Probe:
        """Losses on this client's examples."""
        engine = choose_engine(_alone(self.settings), self.task).engine
        return RowsProbe(probe_of(self.task, engine), self.task.rows[0])

    @cached_property
    def fingerprint(self) -> bytes:
        """Hash over the number of its examples and up to 256 of them, evenly spaced."""
        rows = self.task.rows[0]
        places = np.linspace(0, len(rows) - 1, min(len(rows), FINGERPRINT_EXAMPLES)).astype(int)
        found = hashlib.sha256(f"baffle data 1\n{len(rows)}\n".encode())
        for leaf in pytree.tree_leaves(self.task.train.batch(np.asarray(rows)[places])):
            found.update(_bytes(leaf) if isinstance(leaf, Tensor) else repr(leaf).encode())
        return found.digest()

    def evaluate(self, weights: Slot) -> Evaluation | None:
        """Return what weights come to on its held-out examples."""
        test = self.task.test
        if test is None or self.held_out is None or not len(self.held_out):
            return None
        own = _Part(test, self.held_out)
        loss, accuracy = evaluate(self.task.model, dict(weights), own, self.task.loss)
        right = None if accuracy is None else round(accuracy * len(own))
        return Evaluation.of(len(own), right, loss)


def _bytes(tensor: Tensor) -> bytes:
    """Return a tensor's bytes, whatever its type and wherever it lies."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    content: bytes = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return content


@dataclass(frozen=True)
class _Part:
    """Some of the examples."""

    whole: Examples
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return these examples, by their place among the part's rows."""
        return self.whole.batch(self.rows[numbers])


def _alone(settings: Settings) -> Settings:
    """Return the settings of a client that shares no pass with others."""
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"clients": 1})})


def backing_of(
    genesis: Genesis,
    number: int | None,
    make_model: MakeModel | None,
    make_data: MakeData | None,
    node_config: NodeConfig,
    loss: Loss,
) -> TorchBacking:
    """Return a client's model and data.

    Args:
        genesis: of the run; names model and data unless they are made.
        number: which part of named data is this client's.
        make_model: makes the model, or None.
        make_data: node's configuration to (train, held out) or to train alone, or None.
        node_config: the node's configuration.
        loss: for own data.

    Raises:
        ConfigError, DataError: what is missing.
    """
    settings = resolve(genesis.settings)
    if make_data is None:
        return _named_backing(settings, number)
    if make_model is None:
        raise ConfigError("make_data came without make_model: give client_app both")
    train, held_out = _halves(make_data(node_config))
    examples = examples_of(train, "this client")
    test = examples_of(held_out, "this client's held-out data") if held_out is not None else None
    task = Task(make_model(), loss, examples, [np.arange(len(examples))], test)
    return TorchBacking(task, settings, np.arange(len(test)) if test is not None else None)


def _named_backing(settings: Settings, number: int | None) -> TorchBacking:
    clients = settings.federation.clients
    if number is None or number >= clients:
        raise DataError(
            f"named data are divided among clients 0 to {clients - 1}: expected the node's "
            f"partition-id to be one of them, got {number}"
        )
    whole = named_task(settings)
    own = Task(whole.model, whole.loss, whole.train, [whole.rows[number]], whole.test)
    test = len(whole.test) if whole.test is not None else 0
    return TorchBacking(own, settings, np.arange(number, test, clients))


def _halves(made: Any) -> tuple[Any, Any]:
    """Return (train, held out) of what make_data returned.

    A tuple of two pairs or data sets is both; a pair of arrays, or one data set, is train alone.
    """
    is_pair = isinstance(made, tuple) and len(made) == 2
    if is_pair and not hasattr(made[0], "shape"):
        return made[0], made[1]
    return made, None
