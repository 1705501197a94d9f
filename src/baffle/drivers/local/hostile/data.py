"""The data of hostile clients: the same inputs, the attack's targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from baffle.backends.torch import Examples
from baffle.drivers.local.hostile.base import Attack
from baffle.drivers.local.task import Task
from baffle.errors import ConfigError


@dataclass(frozen=True)
class PoisonedExamples:
    """Examples of which some have the attack's targets.

    Args:
        whole: all examples.
        poisoned: which of them are a hostile client's; bool [examples].
        attack: what it makes of their targets.
        classes: how many there are.
    """

    whole: Examples
    poisoned: NDArray[np.bool_]
    attack: Attack
    classes: int

    def __len__(self) -> int:
        return len(self.whole)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        """Return these examples."""
        inputs, targets = self.whole.batch(numbers)
        chosen = torch.from_numpy(self.poisoned[numbers])
        flipped = torch.from_numpy(self.attack.targets(targets.numpy(), self.classes))
        return inputs, torch.where(chosen, flipped, targets)


def poison(task: Task, attack: Attack, who: frozenset[int]) -> Task:
    """Return the task with the hostile clients' targets as the attack wants them.

    Raises:
        ConfigError: the targets are no integer classes, one an example.
    """
    numbers = np.arange(len(task.train), dtype=np.int64)
    targets = task.train.batch(numbers)[1]
    plain = isinstance(targets, torch.Tensor) and targets.ndim == 1
    if not plain or targets.is_floating_point():
        raise ConfigError(f"{attack.name} changes targets that are classes, one an example")
    poisoned = np.zeros(len(task.train), dtype=np.bool_)
    for client in who:
        poisoned[task.rows[client]] = True
    train = PoisonedExamples(task.train, poisoned, attack, int(targets.max()) + 1)
    return Task(task.model, task.loss, train, task.rows, task.test)
