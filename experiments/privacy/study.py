"""What differential privacy costs in accuracy: ε of 8 to 1, two units, 10² to 10⁴ clients."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.harness import Study, grid
from experiments.harness.study import Cell, merged
from experiments.privacy import picture, tables

# Chosen with key 0 on rows held out of the training set; README.md says how.
BASE = {
    "rounds": 60,
    "model": {"name": "linear"},
    "probe": {"num_directions": 64, "estimator": "mean_baseline", "pairs": 0, "batch": 30},
    "update": {"optimiser": "momentum", "step_size": 0.4},
    "secure": {"sums": True, "simulate": "sum"},
    "output": {"evaluate_every": 20},
    "engine": {"threads": 1, "chunk": 64, "clients": 100},
}
DATA: Mapping[str, Mapping[str, Any]] = {
    "digits": {
        "data": {"name": "digits", "partition": "iid", "partition_options": {}},
        "probe": {"batch": 0},  # all that a client has, 14 or 15
    },
    # Rows are drawn anew for each client: a roster of any size, each with as many rows.
    "mnist": {
        "data": {
            "name": "mnist",
            "options": {"size": 28},
            "partition": "sampled",
            "partition_options": {"rows_per_client": 60},
        }
    },
}
# Clients asked a round. An example's rate of 1/2 is half of a client's rows.
BY_CLIENT = {100: 100, 1000: 1000, 10000: 1000}
BY_EXAMPLE = {100: 30, 1000: 30, 10000: 30}
STEPS = {"client": 2.0**-13, "example": 2.0**-11}  # of the grid: clip norms of 4 and 16
HALF = {"digits": 7, "mnist": 30}


def places() -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield data, unit, clients and what these set."""
    for data, unit in (("digits", "client"), ("digits", "example")):
        asked = (BY_CLIENT if unit == "client" else BY_EXAMPLE)[100]
        yield data, unit, 100, _place(data, unit, 100, asked)
    for unit, cohorts in (("client", BY_CLIENT), ("example", BY_EXAMPLE)):
        for clients, asked in cohorts.items():
            yield "mnist", unit, clients, _place("mnist", unit, clients, asked)


def _place(data: str, unit: str, clients: int, asked: int) -> dict[str, Any]:
    settings = merged(merged(BASE, DATA[data]), {"quantisation": {"step": STEPS[unit]}})
    settings = merged(settings, {"federation": {"clients": clients, "cohort": asked}})
    return merged(settings, {"probe": {"batch": HALF[data]}}) if unit == "example" else settings


def by_epsilon(unit: str) -> dict[str | int, dict[str, Any]]:
    """Return the axis of budgets; without one there is neither clip norm nor noise."""
    budgets: dict[str | int, dict[str, Any]] = {tables.NONE: {}}
    secret = {"sampling": 0.5} if unit == "example" else {}
    for epsilon in tables.BUDGETS:
        budgets[epsilon] = {"privacy": {"unit": unit, "epsilon": epsilon, "delta": 1e-5} | secret}
    return budgets


def cells() -> Iterator[Cell]:
    """Yield the runs, all of a key before the next key's."""
    for key in range(3):
        for data, unit, clients, settings in places():
            yield from grid(
                settings,
                key={key: {"key": key}},
                data={data: {}},
                unit={unit: {}},
                clients={clients: {}},
                epsilon=by_epsilon(unit),
            )


def spent(folder: Path) -> dict[str, Any]:
    """Return what a run spent: ε after its last round, noise, and rounds of the busiest client."""
    from baffle.cohort import most_participations
    from baffle.drivers.local.metrics import read_metrics

    settings = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    federation, last = settings["federation"], read_metrics(folder)[-1]
    private = settings["privacy"]["unit"] != "none"
    return {
        "epsilon": last.get("epsilon"),
        "noise_multiplier": settings["privacy"]["noise_multiplier"] if private else None,
        "participations": most_participations(
            settings["key"], last["round"], federation["clients"], federation["cohort"]
        ),
    }


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=list(cells()),
    tables={"privacy-accuracy": tables.accuracy, "privacy-spent": tables.budget},
    figures={"privacy.png": picture.draw},
    extra=spent,
)
