"""Fewer evaluations: radii by tensor, K and B by measured noise, and what else was tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.fewer import picture, tables
from experiments.fewer.linear import measured
from experiments.harness import Cell, Study, grid, keys
from experiments.harness.study import merged

PROBE = {"num_directions": 128, "batch": 8, "candidates": 32}
# The defaults, and one change each: of a choice that is on, what was there before it; of one that
# is off, what it brings.
RECIPES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "drawn, not picked": {"probe": {"candidates": 0}},
    "B = 32, drawn": {"probe": {"batch": 32, "candidates": 0}},
    "K = 512": {"probe": {"num_directions": 512}},
    "radii by tensor": {"probe": {"radii": "by_tensor"}},
    "K and B as measured": {"probe": {"split": "measured"}},
    "drawn, K and B as measured": {"probe": {"split": "measured", "candidates": 0}},
    "one second moment a tensor": {"update": {"optimiser": "adam_by_tensor"}},
    "own directions": {"groups": {"number": 0}},
}
assert tuple(RECIPES) == tables.RECIPES
ASKED, PAIRS, BUDGET = 5, 8, 1_000_000


def rounds(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that spends the budget, in ten parts for the curve."""
    probe = merged(PROBE, recipe.get("probe", {}))
    each = (probe["num_directions"] + PAIRS) * probe["batch"] + probe["candidates"]
    count = BUDGET // (ASKED * each)
    return {"rounds": count, "output": {"evaluate_every": max(1, count // 10)}}


SPENDING = {name: merged(rounds(recipe), recipe) for name, recipe in RECIPES.items()}


def steps(*sizes: float) -> dict[float, dict[str, Any]]:
    """Return an axis of step sizes; the best by training loss is shown."""
    return {size: {"update": {"step_size": size}} for size in sizes}


DIGITS = {"probe": PROBE, "engine": {"threads": 1, "chunk": 128, "clients": 5}}
MNIST = {
    "data": {
        "name": "mnist",
        "options": {"size": 28},
        "partition": "iid",
        "partition_options": {},
    },
    "model": {"name": "convnet"},
    "probe": PROBE,
    "engine": {"threads": 1, "chunk": 128, "clients": 1},
}
MLP = {"data": "digits", "model": "mlp", "evaluations": 1_230_000, "scales": "equal"}
# Rounds of E evaluations, all clients together, on B examples: the step sizes tried for each.
ROUNDS: dict[tuple[int, int], tuple[float, ...]] = {
    (20_480, 160): (0.04, 0.08),
    (20_480, 20): (0.04, 0.08),
    (20_480, 5): (0.04, 0.08),
    (5_120, 80): (0.04,),
    (5_120, 20): (0.02, 0.04, 0.08),
    (5_120, 5): (0.02, 0.04),
    (1_280, 10): (0.02, 0.04),
    (1_280, 2): (0.02,),
}
CHANGED: dict[str, dict[str, Any]] = {
    "as it is": {},
    "radii by tensor": {"scales": "measured"},
    "radii by tensor, by the true gradient": {"scales": "oracle"},
    "one second moment a tensor": {"optimiser": "adam_by_tensor"},
    "β₁ = 0.95": {"beta1": 0.95},
    "β₂ = 0.999": {"beta2": 0.999},
    "linear schedule": {"schedule": "linear"},
    "averages of weights: 0.95": {"average": 0.95},
    "not normalised": {"normalised": False},
}
LENET = {"data": "mnist", "model": "lenet", "evaluations": 3_000_000, "per_round": 10_240}
FIRST = {"batch": 5, "step_size": 0.04, "scales": "measured"}
# What is tried in the linear regime, each as one change of FIRST.
TRIED: dict[str, dict[str, Any]] = {
    "equal radii": {"scales": "equal"},
    "radii by tensor": {},
    "radii by tensor, by the true gradient": {"scales": "oracle"},
    "step size 0.08": {"step_size": 0.08},
    "half the round, B = 2": {"per_round": 5120, "batch": 2},
    "5 sets of directions, B = 1": {"sets": 5, "batch": 1},
    "one second moment a tensor": {"optimiser": "adam_by_tensor"},
    "β₁ = 0.95": {"beta1": 0.95},
    "β₂ = 0.999": {"beta2": 0.999},
    "linear schedule": {"schedule": "linear"},
}


def simulated() -> list[Cell]:
    """Return the cells of single changes in the linear regime."""
    return [
        Cell(
            {"what": "linear", "data": data, "key": key, "recipe": name},
            {"measure": {**first, **change, "key": key}},
        )
        for key in range(tables.KEYS)
        for data, first, tried in (
            ("digits", MLP | {"per_round": 5_120, "batch": 20, "step_size": 0.04}, CHANGED),
            ("mnist", LENET | FIRST, TRIED),
        )
        for name, change in tried.items()
    ]


def of_rounds() -> list[Cell]:
    """Return the cells that ask how large a round should be, and how it is split."""
    return [
        Cell(
            {"what": "rounds", "key": key, "E": whole, "B": batch, "step": step},
            # epsilon is the default: it tells this cell from its like in `simulated`.
            {"measure": MLP | {"per_round": whole, "batch": batch, "step_size": step, "key": key}
             | {"epsilon": 1e-8}},
        )
        for key in range(tables.KEYS)
        for (whole, batch), sizes in ROUNDS.items()
        for step in sizes
    ]  # fmt: skip


def loss_at_end(folder: Path) -> Mapping[str, Any]:
    """Return what clients' losses came to: the mean of a run's last fifth; and the last K and B."""
    from baffle.drivers.local.metrics import read_metrics

    rows: list[dict[str, Any]] = read_metrics(folder)
    last = [row["loss"] for row in rows[-max(1, len(rows) // 5) :]]
    return {
        "loss": sum(last) / len(last),
        "num_directions": [row["num_directions"] for row in rows[:: max(1, len(rows) // 10)]],
    }


def cells(what: str, base: Mapping[str, Any], sizes: Mapping[float, Any]) -> list[Cell]:
    """Return every recipe at every step size."""
    return grid(base, what={what: {}}, key=keys(tables.KEYS), recipe=SPENDING, step=sizes)


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=sorted(
        [
            *cells("digits", DIGITS, steps(0.04, 0.08)),
            *of_rounds(),
            *simulated(),
            *cells("mnist", MNIST, steps(0.02, 0.04)),
        ],
        key=lambda cell: ("mnist" in cell.labels.values(), int(cell.labels["key"])),
    ),
    tables={
        "fewer-probes": tables.probes,
        "fewer-rounds": tables.rounds,
        "fewer-linear": tables.linear,
    },
    figures={"fewer.png": picture.draw},
    extra=loss_at_end,
    measure=measured,
)
