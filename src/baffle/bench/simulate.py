"""Seconds a round of a simulated federation: clients one after another, and many in one pass.

A whole round is timed: cohort, plan, batches, losses, reports, their sum, the update, the ledger.
Each side has the chunk and threads that `choose_engine` measures for it, and both take their rounds
in turn in one process. Each row has a process of its own, whose peak memory is read before a client
has gone alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from baffle.bench.memory import ProcessFailed
from baffle.errors import ConfigError

Say = Callable[[str], None]
MODELS = ("mlp", "lenet5")


@dataclass(frozen=True)
class Simulation:
    """One federation.

    Args:
        model: "mlp", 64-64-10 on the digits, or "lenet5" on random images of 28×28: the time of a
            round does not depend on what they show.
        clients: asked each round; all that there are.
        directions: K.
        batch: examples a client.

    Raises:
        ConfigError: another model, or a number below 1.
    """

    model: str
    clients: int
    directions: int = 64
    batch: int = 8

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ConfigError(f"--model must be one of {', '.join(MODELS)}, got {self.model!r}")
        for name in ("clients", "directions", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class SimulateOptions:
    """How to measure.

    Args:
        repeats: rounds of each side, of which the median counts; the first one is not timed.
        threads: of a pass; 0 for what is measured to be best, for each side.
        most_alone: clients a round up to which they are also timed one after another.

    Raises:
        ConfigError: a number is out of range.
    """

    repeats: int = 5
    threads: int = 0
    most_alone: int = 1_000

    def __post_init__(self) -> None:
        for name, low in {"repeats": 1, "threads": 0, "most_alone": 0}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"--{name} must be at least {low}, got {getattr(self, name)}")


GROWTH = tuple(Simulation("mlp", clients) for clients in (10, 100, 1_000, 10_000))
LENET = (Simulation("lenet5", 100), Simulation("lenet5", 1_000))
WIDE = (Simulation("mlp", 100, 512, 32), Simulation("lenet5", 20, 512, 32))
SIMULATIONS = (*GROWTH, *LENET, *WIDE)


def simulate(
    simulations: Sequence[Simulation] = SIMULATIONS,
    options: SimulateOptions = SimulateOptions(),
    say: Say = lambda text: None,
) -> Iterator[dict[str, Any]]:
    """Yield one row a simulation.

    Args:
        simulations: what to run.
        options: how.
        say: told what is going on.

    Returns:
        Rows as JSON: `model`, `clients`, `directions`, `batch`, `data`; `seconds_one_by_one` and
        `seconds_together`, medians of a round, with all rounds in `rounds`; their `ratio`;
        `clients_a_second`, together; `peak_mib` of the process; `engine` of each side. What was not
        timed is None.

    Raises:
        ProcessFailed: a measuring process ended with an error.
    """
    for simulation in simulations:
        say(f"{simulation.model}, {simulation.clients} clients")
        yield _in_process(simulation, options)


def _in_process(simulation: Simulation, options: SimulateOptions) -> dict[str, Any]:
    given = json.dumps({"simulation": asdict(simulation), "options": asdict(options)})
    command = [sys.executable, "-m", "baffle.bench.simulated", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProcessFailed(f"{simulation.model}: the measuring process failed: {last}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row
