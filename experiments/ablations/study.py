"""Hardswish, ReLU or SELU; GroupNorm or none; averaged weights or not: at equal evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.ablations import picture, tables
from experiments.harness import Study, grid, keys

# 190 rounds of 5 clients, 256 + 8 probes of 4 examples: a million evaluations, trials left out.
BASE: dict[str, Any] = {
    "rounds": 190,
    "data": {
        "name": "mnist",
        "options": {"size": 28},
        "partition": "iid",
        "partition_options": {},
    },
    "model": {"name": "lenet"},
    "probe": {"num_directions": 256, "batch": 4},
    "update": {"average": 0.98},
    "output": {"evaluate_every": 0},
    "engine": {"threads": 1, "chunk": 64, "clients": 5},
}
WIDTHS = [8, 16]


def _model(activation: str, norm: str) -> dict[str, Any]:
    return {
        "model": {"options": {"widths": WIDTHS, "activation": activation, "norm": norm}},
    }


MODELS = {
    f"{activation}, {norm}": _model(activation, norm)
    for norm in tables.NORMS
    for activation in tables.ACTIVATIONS
}
GUIDELINE = {name: MODELS[name] for name in (f"{tables.OURS}, none", f"{tables.OURS}, group")}


def plain(folder: Path) -> dict[str, float]:
    """Return test accuracy and loss of a run's last weights, without their average.

    The average feeds back into nothing, so these are the weights of a run without one.
    """
    from baffle.backends.torch import evaluate
    from baffle.config import resolve
    from baffle.drivers.local.task import task_of
    from baffle.ledger import Ledger
    from baffle.ledger.replay import replay
    from baffle.protocol import Genesis
    from baffle.updates.state import WEIGHTS

    with Ledger.open(folder) as ledger:
        task = task_of(resolve(Genesis.from_bytes(ledger.genesis).settings))
        weights = replay(ledger).state.numpy()[WEIGHTS]
    assert task.test is not None
    loss, accuracy = evaluate(task.model, weights, task.test, task.loss)
    return {"plain_loss": loss, "plain_accuracy": float(accuracy or 0.0)}


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        cell
        for key, over in keys(3).items()
        for cell in (
            *grid(BASE, key={key: over}, schedule={"cosine": {}}, model=MODELS),
            *grid(
                BASE,
                key={key: over},
                schedule={"constant": {"update": {"schedule": "constant"}}},
                model=GUIDELINE,
            ),
        )
    ],
    tables={
        "ablations": tables.accuracy,
        "ablations-paired": tables.paired,
        "ablations-cost": tables.seconds,
    },
    figures={"ablations.png": picture.draw},
    extra=plain,
)
