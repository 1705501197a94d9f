"""What probes make of a small trained part of pretrained networks, beside back-propagation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.finetuning import picture, tables
from experiments.finetuning.parts import PARTS
from experiments.finetuning.steps import known
from experiments.finetuning.tasks import task_of
from experiments.harness import Cell, Study
from experiments.harness.study import merged

if TYPE_CHECKING:
    from baffle.config import Settings

Over = dict[str, Any]
COHORT = 4
BASE: Over = {
    "rounds": 80,
    "data": {"name": "own", "partition": "own", "partition_options": {}},
    "model": {"name": "own"},
    "federation": {"clients": 20, "cohort": COHORT},
    "probe": {"num_directions": 128, "batch": 1},
    "engine": {"threads": 1, "chunk": 64, "clients": COHORT},
    "output": {"evaluate_every": 20},
}
# A head on features that are computed once costs next to nothing.
HEAD: Over = {
    "rounds": 200,
    "probe": {"num_directions": 256, "batch": 8},
    "output": {"evaluate_every": 50},
}
# A picture says less than a row of tokens: with one a client, a run got worse.
IMAGES: Over = {"rounds": 100, "probe": {"batch": 4}}
ONE = ", one example"
KEYS = 3
# As a contrast, and with one key: large parts, and too few examples.
ONCE = (("negatives", "last third"), ("plays", "all"), ("negatives", "head, norms" + ONE))
ROWS = [(task, part) for task, parts in PARTS.items() for part in parts] + [ONCE[-1]]


def settings_of(task: str, row: str) -> Over:
    """Return the settings of a task's row, but for key and step size."""
    part = row.removesuffix(ONE)
    named = {"data": {"options": {"task": task}}, "model": {"options": {"part": part}}}
    over = IMAGES if task not in ("plays", "sst2") and row == part else {}
    return merged(merged(BASE, HEAD if part == "head" else over), named)


def row_of(settings: Settings) -> tuple[str, str]:
    """Return the task and row that settings are of."""
    task, part = settings.data.options["task"], settings.model.options["part"]
    few = task == "negatives" and settings.probe.batch == 1
    return task, part + ONE * few


def cell(key: int, task: str, row: str) -> Cell:
    """Return one run; its row's step sizes are known."""
    own = {"key": key, "update": {"step_size": known()[task, row].probes}}
    labels = {"key": key, "task": task, "part": row}
    return Cell(labels, merged(settings_of(task, row), own))


def after(folder: Path) -> Mapping[str, Any]:
    """Return what was there before, and what FedAvg makes of the same part."""
    from baffle.backends.torch import evaluate, initial_weights
    from baffle.config import load_config, resolve
    from experiments.finetuning.backprop import LOCAL_STEPS, fedavg

    settings = resolve(load_config(folder / "config.toml"))
    name, row = row_of(settings)
    task = task_of(settings)
    loss, accuracy = evaluate(task.model, initial_weights(task.model), task.test, task.loss)
    step = known()[name, row].fedavg
    found = fedavg(task, settings.key, settings.rounds, COHORT, step)
    end, right = evaluate(task.model, initial_weights(task.model), task.test, task.loss)
    return {
        "first_loss": loss,
        "first_accuracy": accuracy,
        "fedavg_loss": end,
        "fedavg_accuracy": right,
        "fedavg_step": step,
        "fedavg_examples": found.examples,
        "fedavg_bytes_up": found.bytes_up,
        "fedavg_seconds": round(found.seconds, 1),
        "local_steps": LOCAL_STEPS,
        **_spelled(name),
    }


def _spelled(task: str) -> Over:
    if task != "plays":
        return {}
    from experiments.finetuning.language import plays

    return {"bytes_per_token": plays()[3]}


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        cell(key, *row)
        for key in range(KEYS)
        for row in ROWS
        if row in known() and (key == 0 or row not in ONCE)
    ],
    tables={
        "finetuning": tables.main,
        "finetuning-cost": tables.costs,
        "finetuning-start": tables.starts,
        "finetuning-memory": tables.peaks,
        "finetuning-prefix": tables.prefixes,
    },
    figures={"finetuning.png": picture.draw},
    task=task_of,
    extra=after,
)
