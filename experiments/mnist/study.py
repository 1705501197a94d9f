"""MNIST by forward passes alone: at equal evaluations, as a headline, and in twenty rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.harness import Study, grid, keys
from experiments.mnist import tables

Over = dict[str, Any]
IID = {"partition": "iid", "partition_options": {}}
ALL = {"clients": 10, "participation": 1.0}

# 10 clients, each on one example of its own and along directions of its own: K + pairs + candidates
# are 256 evaluations a client, 2,560 a round. Step size and memories were chosen in a linear-regime
# simulation by training loss (experiments/fewer).
OURS: Over = {
    "data": {"name": "mnist", **IID},
    "federation": ALL,
    "probe": {
        "num_directions": 238,
        "pairs": 2,
        "batch": 1,
        "candidates": 16,
        "radii": "by_tensor",
    },
    "groups": {"number": 10, "directions": "own"},
    "update": {"optimiser": "adam_by_tensor", "average": 0.995, "step_size": 0.02},
    "engine": {"threads": 1, "chunk": 64, "clients": 1},
}
LENET: Over = {"model": {"name": "lenet"}}
BUDGETS = {11.1: {"rounds": 4335, "output": {"evaluate_every": 867}}}

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *grid(OURS, over={"lenet": LENET}, key=keys(3), millions=BUDGETS),
    ],
    tables={"mnist-lenet": tables.lenet},
)
