"""Groups with directions of their own: accuracy at equal evaluations, the estimate's error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.groups import picture, tables
from experiments.groups.error import measured
from experiments.harness import Study, grid, keys
from experiments.harness.study import Label

# A small model, so that many runs are affordable; all clients take part in every round.
BASE = {
    "model": {"options": {"widths": [32]}},
    "federation": {"clients": tables.CLIENTS, "participation": 1.0},
    "update": {"step_size": 0.04},
    "engine": {"threads": 1, "chunk": 520, "clients": 20},
}
# Batches of as many as the smallest client has, so that all cost the same.
ALPHAS = {
    alpha: {"data": {"partition_options": {"alpha": alpha, "min_rows": tables.BATCH}}}
    for alpha in tables.ALPHAS
}
GROUPS = {G: {"groups": {"number": G}} for G in tables.GROUPS}
TRAINING = {
    64: {"rounds": 120, "probe": {"num_directions": 64, "batch": tables.BATCH}},
    512: {"rounds": 40, "probe": {"num_directions": 512, "batch": tables.BATCH}},
}
KEYS: dict[Label, int] = {64: 5, 512: 3}  # the more directions, the less depends on the key
OFTEN = {"output": {"evaluate_every": 2}}
# Weights that do not move: every round is another draw of the same estimate.
STILL = {
    "rounds": 12,
    "update": {"optimiser": "sgd", "step_size": 1e-30, "schedule": "constant"},
    "output": {"evaluate_every": 0},
}
PROBES = {K: {"probe": TRAINING[K]["probe"]} for K in TRAINING}
# Clients that are alike, on most of their examples: what groups are best at.
ALIKE = {
    tables.ALIKE: {
        "data": {"partition": "iid", "partition_options": {}},
        "probe": {"num_directions": 64, "batch": 64},
    }
}
LONG = {64: {"rounds": TRAINING[64]["rounds"]}}
OF_ALL: dict[int, dict[str, Any]] = {tables.CLIENTS: {}}
OF_MANY = {tables.MANY: {"federation": {"clients": tables.MANY, "cohort": tables.CLIENTS}}}
MANY_ALPHA = {1.0: {"data": {"partition_options": {"alpha": 1.0, "min_rows": tables.BATCH}}}}

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *(
            cell
            for cell in grid(
                BASE,
                key=keys(max(KEYS.values())),
                of=OF_ALL,
                what={"training": OFTEN},
                alpha=ALPHAS,
                K=TRAINING,
                G=GROUPS,
            )
            if int(cell.labels["key"]) < KEYS[cell.labels["K"]]
        ),
        *grid(
            BASE, key=keys(2), of=OF_ALL, what={"still": STILL}, alpha=ALPHAS, K=PROBES, G=GROUPS
        ),
        *grid(
            BASE,
            key=keys(2),
            of=OF_MANY,
            what={"still": STILL},
            alpha=MANY_ALPHA,
            K=PROBES,
            G=GROUPS,
        ),
        *grid(
            BASE,
            key=keys(3),
            of=OF_ALL,
            what={"training": OFTEN},
            alpha=ALIKE,
            K=LONG,
            G=GROUPS,
        ),
        *grid(
            BASE, key=keys(2), of=OF_ALL, what={"still": STILL}, alpha=ALIKE, K={64: {}}, G=GROUPS
        ),
    ],
    tables={
        "groups-accuracy": tables.accuracy,
        "groups-error": tables.error,
        "groups-along": tables.along,
    },
    figures={"groups.png": picture.draw},
    extra=measured,
)
