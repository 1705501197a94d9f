"""Which cells there are: who is asked, of how many, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.harness.study import Cell, Label, merged
from experiments.participation.steps import Steps, read_steps

Over = dict[str, Any]
Labels = dict[str, Label]
FOLDER = Path(__file__).resolve().parent
TUNE_KEY, KEYS = 100, (0, 1, 2)
STEPS = (0.007, 0.02, 0.06, 0.18)  # tried for each number of clients asked, at the tuning key alone
DIRECTIONS, PAIRS, BATCH = 128, 8, 4
TUNE, EVALUATIONS, ROUNDS = "tune", "evaluations", "rounds"


@dataclass(frozen=True)
class Block:
    """Runs on one data set.

    Args:
        data: label.
        settings: the data.
        budget: example evaluations of all clients together in a run.
        rosters: numbers of registered clients N, each with the numbers that are asked.
        rounds: of the runs at equal rounds; 0: there are none.
    """

    data: str
    settings: Over
    budget: int
    rosters: Mapping[int, Sequence[int]]
    rounds: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is equal in its runs."""
        return (EVALUATIONS, ROUNDS) if self.rounds else (EVALUATIONS,)

    def length(self, what: str, asked: int) -> int:
        """Return a run's rounds; each of the antithetic pairs adds a probe to a client's K."""
        cost = asked * BATCH * (DIRECTIONS + PAIRS)
        return round(self.budget / cost) if what == EVALUATIONS else self.rounds

    def kind(self, what: str, asked: int) -> str:
        """Return the name that a step size has in the file of chosen ones."""
        return f"{what} {self.data} {asked}"

    def run(self, N: int, C: int, rounds: int, step: float) -> Over:
        """Return a run's settings."""
        own = {
            "rounds": rounds,
            "model": {"options": {"widths": [32]}},
            "federation": {"clients": N, "cohort": C},
            "probe": {"num_directions": DIRECTIONS, "batch": BATCH, "pairs": PAIRS},
            "update": {"step_size": step},
            "output": {"evaluate_every": 0},
            "engine": {"threads": 1, "chunk": 64, "clients": 20},
        }
        return merged({"data": self.settings}, own)


DIGITS = Block(
    "digits IID",
    {"partition": "sampled", "partition_options": {"rows_per_client": 100}},
    budget=326_400,
    rosters={
        10: (10, 3, 1),
        100: (100, 30, 10, 3, 1),
        1000: (300, 100, 30, 10),
        10_000: (300, 100),
    },
    rounds=50,
)
SKEWED = Block(
    "digits α = 0.1",
    {"partition": "dirichlet", "partition_options": {"alpha": 0.1, "min_rows": 8}},
    budget=326_400,
    rosters={20: (20, 6, 2)},
)
WRITERS = Block(
    "QMNIST",
    {
        "name": "qmnist",
        "options": {"size": 28},
        "partition": "natural",
        "partition_options": {},
    },
    budget=1_152_000,
    rosters={539: (539, 54, 5)},
)
BLOCKS = (DIGITS, SKEWED, WRITERS)


def cells() -> Iterator[Cell]:
    """Yield all cells, those of tuning first, then key by key those whose step size is chosen."""
    for block in BLOCKS:
        yield from tuning(block)
    steps = read_steps(FOLDER)
    for key in KEYS:
        for block in BLOCKS:
            yield from trained(block, key, steps)


def tuning(block: Block) -> Iterator[Cell]:
    """Yield a run a step size and number of clients asked, of the largest roster that has it."""
    largest = {C: N for N, asked in sorted(block.rosters.items()) for C in asked}
    for what in block.kinds:
        for C, N in sorted(largest.items()):
            for step in STEPS:
                labels: Labels = {
                    "key": TUNE_KEY,
                    "what": TUNE,
                    "kind": block.kind(what, C),
                    "step": step,
                }
                settings = block.run(N, C, block.length(what, C), step)
                yield Cell(labels, {"key": TUNE_KEY, **settings})


def trained(block: Block, key: int, steps: Steps) -> Iterator[Cell]:
    """Yield the runs of a key: at equal evaluations, then at equal rounds."""
    for what in block.kinds:
        for N, asked in block.rosters.items():
            for C in asked:
                step = steps.get(block.kind(what, C))
                if step is not None:
                    labels: Labels = {"key": key, "what": what, "data": block.data, "N": N, "C": C}
                    settings = block.run(N, C, block.length(what, C), step)
                    yield Cell(labels, {"key": key, **settings})
