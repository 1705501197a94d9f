"""One process that times one simulated federation: `python -m baffle.bench.simulated`.

It takes one JSON object and writes one.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from baffle.bench.simulate import SimulateOptions, Simulation
from baffle.config import Settings, resolve
from baffle.data import load
from baffle.drivers.local import OneByOne, Together
from baffle.drivers.local.clear import InTheClear
from baffle.drivers.local.engine import choose_engine
from baffle.drivers.local.session import Session, start
from baffle.drivers.local.task import Task, TensorExamples
from baffle.drivers.resident import peak_mib
from baffle.models import build

ROWS_A_CLIENT = 50
IMAGES, SIDE, CLASSES = 5_000, 28, 10
DATA = {"mlp": "digits", "lenet5": "random images, 28×28"}


def examples_of(model: str) -> TensorExamples:
    """Return the examples that a model is timed on."""
    if model == "mlp":
        digits = load("digits")
        return TensorExamples(torch.from_numpy(digits.train_x), torch.from_numpy(digits.train_y))
    chance = np.random.default_rng(0)
    images = chance.standard_normal((IMAGES, 1, SIDE, SIDE), dtype=np.float32)
    return TensorExamples(
        torch.from_numpy(images), torch.from_numpy(chance.integers(0, CLASSES, IMAGES))
    )


PAIRS = 8  # antithetic directions, a run's own default; fewer where there are few directions


def task_of(simulation: Simulation) -> Task:
    """Return model and data; each client has rows of its own, as many as all others."""
    examples, chance = examples_of(simulation.model), np.random.default_rng(1)
    shape = tuple(examples.inputs.shape[1:])
    many = max(ROWS_A_CLIENT, simulation.batch)
    rows = [chance.integers(0, len(examples), many) for _ in range(simulation.clients)]
    model = build(simulation.model, shape, CLASSES, seed=0)
    return Task(model, functional.cross_entropy, examples, rows, None)


def settings_of(simulation: Simulation, options: SimulateOptions, clients: int) -> Settings:
    """Return the settings of a side: `clients` in one pass, 0 for as many as are chosen."""
    return resolve(
        {
            "rounds": options.repeats + 1,
            "federation": {"clients": simulation.clients, "participation": 1.0},
            "probe": {
                "num_directions": simulation.directions,
                "batch": simulation.batch,
                "pairs": min(PAIRS, max(2, simulation.directions // 4)),
            },
            "update": {"step_size": 0.01},
            "engine": {"clients": clients, "threads": options.threads},
            "output": {"evaluate_every": 0},
        }
    )


def begun(simulation: Simulation, options: SimulateOptions, clients: int, folder: Path) -> Session:
    """Return a side, ready for its first round."""
    task = task_of(simulation)
    return start(choose_engine(settings_of(simulation, options, clients), task), task, folder)


def seconds_of(session: Session) -> float:
    """Run a round."""
    started = time.perf_counter()
    session.federation.round()
    return time.perf_counter() - started


def measure(simulation: Simulation, options: SimulateOptions, folder: Path) -> dict[str, Any]:
    """Return the row of a simulation; see `simulate`."""
    sides = {"together": begun(simulation, options, 0, folder / "together")}
    seconds_of(sides["together"])
    peak = peak_mib()
    if simulation.clients <= options.most_alone:
        alone = begun(simulation, options, 1, folder / "one_by_one")
        collecting = alone.federation.collecting
        assert isinstance(collecting, InTheClear)
        together = collecting.answers
        assert isinstance(together, Together)
        collecting.answers = OneByOne(together.roster)
        seconds_of(alone)
        sides["one_by_one"] = alone
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.repeats):
        for name, session in sides.items():
            rounds[name].append(seconds_of(session))
    for session in sides.values():
        session.close()
    return _row(simulation, peak, rounds, sides)


def _row(
    simulation: Simulation,
    peak: float,
    rounds: dict[str, list[float]],
    sides: dict[str, Session],
) -> dict[str, Any]:
    median = {name: statistics.median(seconds) for name, seconds in rounds.items()}
    alone = median.get("one_by_one")
    return {
        **asdict(simulation),
        "data": DATA[simulation.model],
        "seconds_one_by_one": alone,
        "seconds_together": median["together"],
        "ratio": alone / median["together"] if alone else None,
        "clients_a_second": simulation.clients / median["together"],
        "peak_mib": peak,
        "engine": {name: s.settings.engine.model_dump() for name, s in sides.items()},
        "rounds": rounds,
    }


def main() -> None:
    """Measure what the first argument says."""
    given = json.loads(sys.argv[1])
    simulation, options = Simulation(**given["simulation"]), SimulateOptions(**given["options"])
    with tempfile.TemporaryDirectory(prefix="baffle-simulate-") as folder:
        row = measure(simulation, options, Path(folder))
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
