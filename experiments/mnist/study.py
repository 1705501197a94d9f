"""MNIST by forward passes alone: at equal evaluations, as a headline, and in twenty rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.harness import Study, grid, keys
from experiments.harness.study import merged
from experiments.mnist import picture, tables

Over = dict[str, Any]
DATA: Over = {"name": "mnist", "partition": "iid", "partition_options": {}}
BASE: Over = {
    "data": DATA,
    "federation": {"clients": 10, "participation": 1.0},
    "engine": {"threads": 1, "chunk": 64, "clients": 1},
}

# Every client probes on one example of its own, along directions of its own: K, pairs and
# candidates are 256 evaluations a client and 2,560 a round. The step size is the one of 0.01, 0.02,
# 0.03 and 0.04 with the least training loss in a linear-regime simulation of key 0.
OURS = merged(
    BASE,
    {
        "probe": {
            "num_directions": 238,
            "pairs": 2,
            "batch": 1,
            "candidates": 16,
            "radii": "by_tensor",
        },
        "groups": {"number": 10, "directions": "own"},
        "update": {"optimiser": "adam_by_tensor", "average": 0.995, "step_size": 0.02},
    },
)
# The recipe of the reference code's README: own Gaussian directions, K = 100, batches of 32.
REFERENCE = merged(BASE, {"algorithm": "baffle-reference", "engine": {"chunk": 0}})
# A radius that is measured from two pairs of single examples wanders from 2^-12 to 2^-5.
LENET: Over = {
    "model": {"name": "lenet"},
    "probe": {
        "num_directions": 240,
        "pairs": 0,
        "estimator": "mean_baseline",
        "radius": 2.0**-10,
    },
}
# Larger first weights and pixels of unit variance, with the step size that wants: of what was tried
# in the linear regime, key 0, this had the least training loss (see README.md).
QUICK: Over = merged(
    LENET,
    {
        "data": {"options": {"normalise": True}},
        "model": {"options": {"init": "he"}},
        "update": {"step_size": 0.04},
    },
)
SMALL: Over = {
    "model": {"name": "convnet"},
    "data": {"options": {"size": 28}},
    "engine": {"chunk": 256},
}
MILLION = 10**6


def rounds(millions: float, each: int, evaluations: int = 5) -> Over:
    """Return settings of a run of so many million evaluations, `each` of a round."""
    count = int(millions * MILLION / each)
    return {"rounds": count, "output": {"evaluate_every": max(1, count // evaluations)}}


# H local steps along own directions, which the server makes again of all integers. A byte for each:
# an upload is larger than the model, which is what twenty rounds cost. H, K and the step size have
# the least training loss of eight that were tried in a linear-regime simulation of key 0.
LOCAL = merged(
    OURS,
    {
        **rounds(20 * 2.78528, 2_785_280, 20),
        "probe": {
            "num_directions": 256,
            "num_local_steps": 512,
            "pairs": 0,
            "batch": 2,
            "candidates": 32,
            "estimator": "mean_baseline",
            "radius": 2.0**-9,
            "radii": "equal",
        },
        "quantisation": {"bits": 8},
        "update": {
            "optimiser": "sgd",
            "normalised": False,
            "average": 0.5,
            "step_size": 0.2,
            "local_step_size": "auto",
        },
    },
)
FEDZO = merged(BASE, {"algorithm": "fedzo", "engine": {"chunk": 0}})

STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *grid(merged(OURS, SMALL), what={"headline": rounds(11.1, 2560, 20)}, key=keys(3)),
        *grid(merged(LOCAL, SMALL), what={"20 rounds": {}}, key=keys(3)),
        *grid(merged(OURS, QUICK), what={"ours 11.1 M": rounds(11.1, 2560)}, key=keys(3)),
        *grid(
            merged(OURS, LENET),
            what={"torch's first weights 11.1 M": rounds(11.1, 2560)},
            key=keys(2),
        ),
        *grid(
            merged(OURS, {"model": {"name": "lenet"}}),
            what={"measured radius 11.1 M": rounds(11.1, 2560)},
            key=keys(1),
        ),
        *grid(
            merged(REFERENCE, {"model": {"name": "lenet"}}),
            what={"reference 11.1 M": rounds(11.1, 32_320)},
            key=keys(1),
        ),
        *grid(
            merged(FEDZO, SMALL),
            what={
                "FedZO 20 rounds": {"rounds": 20, "output": {"evaluate_every": 5}},
                "FedZO 1000 rounds": {"rounds": 1000, "output": {"evaluate_every": 100}},
            },
            key=keys(1),
        ),
        *grid(merged(OURS, QUICK), what={"ours 33 M": rounds(33, 2560, 6)}, key=keys(1)),
        *grid(
            merged(REFERENCE, {"model": {"name": "lenet"}}),
            what={"reference 33 M": rounds(33, 32_320, 6)},
            key=keys(1),
        ),
    ],
    tables={
        "mnist-lenet": tables.lenet,
        "mnist-headline": tables.headline,
        "mnist-rounds": tables.in_rounds,
        "mnist-seconds": tables.seconds,
    },
    figures={"mnist.png": picture.draw},
)
