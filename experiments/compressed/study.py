"""What compressed forms of a model cost in accuracy when they are trained by probes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.compressed import picture, tables
from experiments.compressed.forms import FORMS
from experiments.compressed.steps import step_of
from experiments.compressed.tasks import TASKS, accuracy_before, compressed, named, task_of
from experiments.harness import Cell, Study
from experiments.harness.study import merged

Over = dict[str, Any]
COHORT = 4
BASE: Over = {
    "data": {"name": "own", "partition": "own", "partition_options": {}},
    "model": {"name": "own"},
    "federation": {"clients": 20, "cohort": COHORT},
    "engine": {"threads": 1, "chunk": 32, "clients": COHORT},
}
RUNS: Mapping[str, Over] = {
    "digits": {
        "rounds": 200,
        "probe": {"num_directions": 256, "batch": 8},
        "output": {"evaluate_every": 40},
    },
    "mnist": {
        "rounds": 100,
        "probe": {"num_directions": 256, "batch": 8},
        "output": {"evaluate_every": 20},
    },
    "cifar": {
        "rounds": 20,
        "probe": {"num_directions": 256, "batch": 4},
        "output": {"evaluate_every": 5},
    },
}
KEYS: Mapping[str, int] = {"digits": 3, "mnist": 1, "cifar": 1}
ROWS = [(task, form) for task in TASKS for form in FORMS]


def settings_of(task: str, form: str) -> Over:
    """Return the settings of a task in a form, but for key and step size."""
    own = {"data": {"options": {"task": task}}, "model": {"options": {"form": form}}}
    return merged(merged(merged(BASE, RUNS[task]), own), FORMS[form].settings)


def cell(key: int, task: str, form: str) -> Cell:
    """Return one run; its row's step sizes are known."""
    own = {"key": key, "update": {"step_size": step_of(task, form)}}
    return Cell({"key": key, "task": task, "form": form}, merged(settings_of(task, form), own))


def after(folder: Path) -> Mapping[str, Any]:
    """Return the accuracies before the run, and in how many states the form was found whole.

    Raises:
        AssertionError: a state has lost what its form is.
    """
    from baffle.backends.torch import evaluate, initial_weights
    from baffle.config import load_config, resolve
    from baffle.ledger import Ledger
    from baffle.ledger.replay import states

    settings = resolve(load_config(folder / "config.toml"))
    name, form = named(settings)
    task, check = task_of(settings), compressed(name, form).check
    first = initial_weights(task.model)
    _, pressed = evaluate(task.model, first, task.test, task.loss)
    whole = 0
    with Ledger.open(folder) as ledger:
        for at in states(ledger, since=0):
            check(at.state.numpy())
            whole += 1
    return {
        "before_accuracy": accuracy_before(name),
        "compressed_accuracy": pressed,
        "trained": sum(w.size for w in first.values()),
        "zeros": sum(int((w == 0).sum()) for w in first.values() if w.ndim >= 2),
        "states_whole": whole,
    }


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        cell(key, *row)
        for key in range(max(KEYS.values()))
        for row in ROWS
        if step_of(*row) is not None and key < KEYS[row[0]]
    ],
    tables={"compressed": tables.main, "compressed-cost": tables.costs},
    figures={"compressed.png": picture.draw},
    task=task_of,
    extra=after,
)
