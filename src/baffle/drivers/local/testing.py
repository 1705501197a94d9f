"""When a run is tested, and what comes of it: alike for runs with a ledger and for baselines."""

from __future__ import annotations

from typing import Any

from baffle.backends.torch import evaluate
from baffle.config import Settings
from baffle.directions.kind import Weights
from baffle.drivers.local.task import Task


def is_tested(settings: Settings, round: int) -> bool:
    """Return whether the weights after so many rounds are tested: now and then, and at the end."""
    every = settings.output.evaluate_every
    return round == settings.rounds or (every > 0 and round % every == 0)


def tested(task: Task, weights: Weights) -> dict[str, Any]:
    """Return test loss and accuracy of weights; empty without a test set."""
    if task.test is None:
        return {}
    loss, accuracy = evaluate(task.model, weights, task.test, task.loss)
    return {"test_loss": loss, "test_accuracy": accuracy}
