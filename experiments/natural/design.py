"""Which cells there are: data sets of people, ways to divide them, two algorithms, norms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.harness.study import Cell, Label, merged
from experiments.natural.norms import MEASURED
from experiments.participation.steps import Steps, read_steps

Over = dict[str, Any]
Labels = dict[str, Label]
FOLDER = Path(__file__).resolve().parent
TUNE_KEY, KEYS = 100, (0, 1, 2)
BATCH = 8
TUNE, DIVIDED, NORMS = "tune", "divided", "norms"
NATURAL, IID = "people", "IID"
BAFFLE, FEDAVG = "baffle", "fedavg"
STEPS = {BAFFLE: (0.007, 0.02, 0.06, 0.18), FEDAVG: (0.03, 0.1, 0.3, 0.9)}


WAYS: Mapping[str, Over] = {
    NATURAL: {"partition": "natural", "partition_options": {}},
    IID: {"partition": "iid", "partition_options": {}},
    "α = 1": {"partition": "dirichlet", "partition_options": {"alpha": 1.0}},
    "α = 0.1": {"partition": "dirichlet", "partition_options": {"alpha": 0.1}},
}


@dataclass(frozen=True)
class Block:
    """Runs on one data set with one model.

    Args:
        data: label.
        settings: data and model.
        clients, asked: N and C.
        ways: names of divisions.
        rounds: by algorithm.
        norms: of the model.
        least: rows of a client that is made by labels; no draw of many small ones gives more.
    """

    data: str
    settings: Over
    clients: int
    asked: int
    ways: tuple[str, ...]
    rounds: Mapping[str, int]
    norms: tuple[str, ...] = ("none",)
    least: int = BATCH

    def kind(self, algorithm: str, norm: str) -> str:
        """Return the name that a step size has in the file of chosen ones."""
        return f"{self.data} {algorithm} {norm}"

    def divided(self, way: str) -> Over:
        """Return the settings of a division."""
        options = dict(WAYS[way]["partition_options"])
        if "alpha" in options:
            options["min_rows"] = self.least
        return {"partition": WAYS[way]["partition"], "partition_options": options}

    def run(self, way: str, algorithm: str, norm: str, step: float) -> Over:
        """Return a run's settings."""
        given: Over = {
            "algorithm": algorithm,
            "rounds": self.rounds[algorithm],
            "data": self.divided(way),
            "federation": {"clients": self.clients, "cohort": self.asked, "weighting": "uniform"},
            "probe": {"batch": BATCH},
            "update": {"step_size": step},
            "output": {"evaluate_every": 0},
            "engine": {"threads": 1},
        }
        if algorithm == BAFFLE:
            given = merged(given, {"probe": {"num_directions": 64}})
            given = merged(given, {"engine": {"chunk": 64, "clients": 20}})
        settings = merged(self.settings, given)
        if norm != "none":
            options = {**settings["model"]["options"], "norm": norm}
            settings = merged(settings, {"model": {"options": options}})
        return settings


MLP = {"name": "mlp", "options": {"widths": [32]}}
WRITERS = Block(
    "QMNIST",
    {"data": {"name": "qmnist", "options": {"size": 28}}, "model": MLP},
    clients=539,
    asked=54,
    ways=(NATURAL, IID),
    rounds={BAFFLE: 40, FEDAVG: 10},
)
SUBJECTS = Block(
    "HAPT",
    {"data": {"name": "hapt", "options": {"features": True, "test": "windows"}}, "model": MLP},
    clients=30,
    asked=10,
    ways=tuple(WAYS),
    rounds={BAFFLE: 100, FEDAVG: 40},
)
USERS = Block(
    "WISDM",
    {"data": {"name": "wisdm", "options": {}}, "model": MLP},
    clients=36,
    asked=12,
    ways=tuple(WAYS),
    rounds={BAFFLE: 100, FEDAVG: 40},
    least=2,
)
SIGNALS = Block(
    "HAPT signals",
    {
        "data": {"name": "hapt", "options": {"test": "windows"}},
        "model": {"name": "signal", "options": {"widths": [16, 16]}},
    },
    clients=30,
    asked=10,
    ways=(NATURAL,),
    rounds={BAFFLE: 40, FEDAVG: 40},
    norms=("none", "group", MEASURED),
)
BLOCKS = (SUBJECTS, USERS, WRITERS)


def cells() -> Iterator[Cell]:
    """Yield all cells, those of tuning first, then key by key those whose step size is chosen."""
    for block in (*BLOCKS, SIGNALS):
        yield from tuning(block)
    steps = read_steps(FOLDER)
    for key in KEYS:
        for block in (*BLOCKS, SIGNALS):
            yield from trained(block, key, steps)


def tuning(block: Block) -> Iterator[Cell]:
    """Yield a run a step size, people being the clients."""
    for algorithm in (BAFFLE, FEDAVG):
        for norm in block.norms:
            kind = block.kind(algorithm, norm)
            for step in STEPS[algorithm]:
                labels: Labels = {"key": TUNE_KEY, "what": TUNE, "kind": kind, "step": step}
                settings = block.run(NATURAL, algorithm, norm, step)
                yield Cell(labels, {"key": TUNE_KEY, **settings})


def trained(block: Block, key: int, steps: Steps) -> Iterator[Cell]:
    """Yield the runs of a key."""
    what = NORMS if block is SIGNALS else DIVIDED
    for algorithm in (BAFFLE, FEDAVG):
        for norm in block.norms:
            step = steps.get(block.kind(algorithm, norm))
            for way in block.ways if step is not None else ():
                labels: Labels = {"key": key, "what": what, "data": block.data, "way": way}
                settings = block.run(way, algorithm, norm, float(step or 0))
                labels |= {"algorithm": algorithm, "norm": norm}
                yield Cell(labels, {"key": key, **settings})
