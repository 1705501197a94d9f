"""The error's constant on real models, by K, kind and radius; and accuracy by K."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.constant import picture, tables
from experiments.harness import Cell, Study, grid, keys

# Most directions and examples, so that a cell takes seconds; the models differ in size.
MODELS: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"data": "digits", "K": 8 * 4**5, "batch": 32},
    "lenet5": {"data": "mnist", "K": 8 * 4**4, "batch": 8},
    "lenet": {"data": "mnist", "K": 8 * 4**4, "batch": 2},
    "wrn": {"data": "mnist", "K": 8 * 4**3, "batch": 2},
}
KINDS = ("rank_one", "rademacher", "gaussian")
RADIUS = -10
MANY = 8 * 4**6  # of one kind, model and key: many more than weights
USUAL = {"kind": "rank_one", "estimator": "forward", "radius": RADIUS}


def _errors() -> Iterator[dict[str, Any]]:
    """Yield what is measured of single estimates."""
    for when in tables.WHEN:
        yield {"model": "mlp", "key": 0, "when": when, "kind": KINDS[0], "K": MANY}
    for key in (0, 1):
        for model in ("mlp", "lenet5"):
            for when in tables.WHEN:
                kinds = KINDS[1:] if (model, key) == ("mlp", 0) else KINDS
                yield from ({"model": model, "key": key, "when": when, "kind": k} for k in kinds)
    for when in tables.WHEN:
        yield from ({"model": "lenet", "key": 0, "when": when, "kind": kind} for kind in KINDS)
        yield {"model": "wrn", "key": 0, "when": when}


def _radii() -> Iterator[dict[str, Any]]:
    """Yield what is measured of radii; those of the first list are not repeated."""
    for model in ("mlp", "lenet5"):
        for when in tables.WHEN:
            for estimator in ("forward", "central"):
                for radius in range(-16, -2, 2):
                    if (estimator, radius) != ("forward", RADIUS):
                        yield {
                            "model": model, "key": 0, "when": when,
                            "estimator": estimator, "radius": radius,
                        }  # fmt: skip


def _cell(what: str, given: Mapping[str, Any]) -> Cell:
    asked = {**USUAL, **given}
    settings = {"measure": {**MODELS[asked["model"]], **asked}}
    return Cell({"what": what, **asked}, settings)


# Runs: 10 clients, all asked; step sizes are compared by training loss.
BASE = {
    "data": {"partition": "iid", "partition_options": {}},
    "federation": {"participation": 1.0},
    "probe": {"batch": 8, "radius": 2.0**RADIUS},
    "engine": {"threads": 1, "chunk": 520, "clients": 10},
    "output": {"evaluate_every": 0},
}
STEPS = {size: {"update": {"step_size": size}} for size in (0.01, 0.03, 0.1)}
SAME_EVALUATIONS = {
    K: {"probe": {"num_directions": K}, "rounds": tables.DIRECTIONS // K} for K in tables.SIZES
}
SAME_ROUNDS = {
    K: {"probe": {"num_directions": K}, "rounds": tables.ROUNDS}
    for K in tables.SIZES
    if K * tables.ROUNDS != tables.DIRECTIONS  # that one is among the others
}


def _measure(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from experiments.constant.error import measure  # torch is for those who run, not who read

    return measure(asked)


def _training_loss(folder: Path) -> Mapping[str, Any]:
    """Return the clients' mean loss over a run's last tenth: what step sizes are chosen by."""
    from baffle.drivers.local.metrics import read_metrics

    losses = [row["loss"] for row in read_metrics(folder)]
    last = losses[-max(1, len(losses) // 10) :]
    return {"training_loss": None if None in last else sum(last) / len(last)}


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *(_cell("error", given) for given in _errors()),
        *(_cell("radius", given) for given in _radii()),
        *grid(BASE, key=keys(3), what={"evaluations": {}}, step=STEPS, K=SAME_EVALUATIONS),
        *grid(BASE, key=keys(3), what={"rounds": {}}, step=STEPS, K=SAME_ROUNDS),
    ],
    tables={
        "constant-error": tables.errors,
        "constant-by-K": tables.by_directions,
        "constant-radius": tables.radii,
        "constant-accuracy": tables.accuracy,
    },
    figures={"constant.png": picture.draw},
    extra=_training_loss,
    measure=_measure,
)
