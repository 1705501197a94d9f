"""Baselines by name: what users compare with. One file with one class and one row each.

A row holds no torch: its module is imported when a run begins, and settings are checked without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from baffle.algorithms.tuning import Tuning
from baffle.baselines.base import CLIENTS, EACH_EPOCH, EACH_ROUND, SERVER, Baseline, Knobs
from baffle.errors import ConfigError

Choices = Mapping[str, Mapping[str, Any]]
SGD: Mapping[str, Any] = {
    "optimiser": "sgd",
    "normalised": False,
    "average": 0.0,
    "step_size": "auto",
    "schedule": "constant",
}
ADAM: Mapping[str, Any] = {**SGD, "optimiser": "adam", "beta1": 0.9, "beta2": 0.99}


@dataclass(frozen=True)
class Row:
    """A baseline before its module is loaded.

    Args:
        place: module and class.
        choices: what it chooses of the settings, by section.
        estimator: how it comes to its vector, in a word for tables.
        tuning: of its step size.
        average: when the weights' average moves, "round" or "epoch".
        directions: kinds that it can take; none where it draws no directions.
        steps: who makes steps of the step size: SERVER by the optimiser of the settings, or
            CLIENTS, whose changes the server then adds.
        radius: whether it probes at one.
    """

    place: str
    choices: Choices
    estimator: str
    tuning: Tuning
    average: str = EACH_ROUND
    directions: tuple[str, ...] = ("gaussian",)
    steps: str = SERVER
    radius: bool = True

    def make(self, knobs: Knobs) -> Baseline:
        """Return the baseline; its module is imported now."""
        module, name = self.place.split(":")
        made: Baseline = getattr(import_module(f"baffle.baselines.{module}"), name)(knobs)
        return made


def _probe(**given: Any) -> Mapping[str, Any]:
    """Return a section of probing, with Gaussian directions unless it says otherwise."""
    return {"directions": "gaussian", "estimator": "forward", "pairs": 0, **given}


_FEDAVG: Choices = {
    "federation": {"weighting": "examples"},
    "probe": _probe(num_directions=1, num_local_steps=10, batch=32),
    "update": SGD,
}
_BACKPROPAGATION = Tuning(start=0.2, factor=2.0)

BASELINES: dict[str, Row] = {
    "fedsgd": Row(
        "fedsgd:FedSGD",
        {
            "federation": {"weighting": "examples"},
            "probe": _probe(num_directions=1, batch=32),
            "update": SGD,
        },
        "backpropagation",
        _BACKPROPAGATION,
        directions=(),
        radius=False,
    ),
    "fedavg": Row(
        "fedavg:FedAvg",
        _FEDAVG,
        "backpropagation",
        _BACKPROPAGATION,
        directions=(),
        steps=CLIENTS,
        radius=False,
    ),
    "fedavg-checkpointed": Row(
        "fedavg_checkpointed:FedAvgCheckpointed",
        _FEDAVG,
        "backpropagation",
        _BACKPROPAGATION,
        directions=(),
        steps=CLIENTS,
        radius=False,
    ),
    "forward-gradient": Row(
        "forward_gradient:ForwardGradient",
        {
            "federation": {"weighting": "uniform"},
            "probe": _probe(num_directions=64, batch=32),
            "update": {**ADAM, "schedule": "cosine"},
        },
        "forward mode",
        Tuning(0.01, 2.0),
        directions=("gaussian", "rademacher"),
        radius=False,
    ),
    "fedzo": Row(
        "fedzo:FedZO",
        {
            "federation": {"weighting": "uniform"},
            "probe": _probe(num_directions=20, num_local_steps=5, batch=25, radius=1e-3),
            "update": SGD,
        },
        "forward, on the sphere",
        Tuning(1e-3, 4.0),
        steps=CLIENTS,
    ),
    "es": Row(
        "es:EvolutionStrategies",
        {
            "federation": {"weighting": "uniform"},
            "probe": _probe(num_directions=256, batch=32, radius=0.02, estimator="central"),
            "update": {**ADAM, "beta2": 0.999},
        },
        "antithetic, ranked",
        Tuning(0.01, 2.0),
    ),
    "baffle-reference": Row(
        "reference:Reference",
        {
            "federation": {"weighting": "uniform"},
            "probe": _probe(num_directions=100, batch=32, radius=1e-4),
            "update": {**ADAM, "l2": 5e-4, "average": 0.995, "step_size": 0.01},
        },
        "forward",
        Tuning(0.01, 2.0),
        average=EACH_EPOCH,
    ),
}


def row_of(name: str) -> Row:
    """Return the row of a name.

    Raises:
        ConfigError: no such baseline.

    Example:
        >>> row_of("fedavg").choices["probe"]["num_local_steps"]
        10
    """
    if name not in BASELINES:
        raise ConfigError(f"baseline must be one of {', '.join(BASELINES)}, got {name!r}")
    return BASELINES[name]
