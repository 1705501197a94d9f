"""One process that runs one large federation: `python -m tools.fleet.figures.scaled WAY JSON`.

It takes one JSON object. All but `flower` write one to standard output.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from baffle.bench.simulate import SimulateOptions, Simulation
from baffle.bench.simulated import seconds_of, settings_of, task_of
from baffle.drivers.local.engine import choose_engine
from baffle.drivers.local.session import Session, start
from baffle.drivers.resident import peak_mib

FEW = 10
DIRECTIONS = 64


def many(clients: int, cohort: int, rounds: int) -> dict[str, Any]:
    """Return what rounds of the local driver take with this many clients.

    Args:
        clients: registered, each with 50 examples of its own.
        cohort: asked each round.
        rounds: timed, after one that is not.
    """
    with tempfile.TemporaryDirectory(prefix="baffle-scale-") as folder:
        session = _session(clients, cohort, rounds, Path(folder) / "run")
        seconds_of(session)
        started = time.process_time()
        seconds = [seconds_of(session) for _ in range(rounds)]
        processor = (time.process_time() - started) / rounds
        session.close()
    return {
        "clients": clients,
        "cohort": cohort,
        "directions": DIRECTIONS,
        "round_seconds": statistics.median(seconds),
        "processor_seconds": processor,
        "rounds": seconds,
        "peak_mib": peak_mib(),
        "engine": session.settings.engine.model_dump(),
    }


def roster(clients: int) -> dict[str, Any]:
    """Return the bytes that a registered client takes while it is not asked.

    It is what a session with many takes more than one with few does, as Python and NumPy count it,
    after a session that loads what is loaded once.
    """
    with tempfile.TemporaryDirectory(prefix="baffle-scale-") as folder:
        _session(FEW, FEW, 1, Path(folder) / "first").close()
        sizes = [_traced(n, Path(folder) / str(n)) for n in (FEW, clients)]
    return {"bytes_a_client": (sizes[1] - sizes[0]) / (clients - FEW)}


def _traced(clients: int, folder: Path) -> int:
    tracemalloc.start()
    session = _session(clients, FEW, 1, folder)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    session.close()
    return size


def _session(clients: int, cohort: int, rounds: int, folder: Path) -> Session:
    simulation = Simulation("mlp", clients, DIRECTIONS)
    settings = settings_of(simulation, SimulateOptions(repeats=rounds, threads=1), 0)
    federation = settings.federation.model_copy(update={"cohort": cohort})
    task = task_of(simulation)
    return start(
        choose_engine(settings.model_copy(update={"federation": federation}), task), task, folder
    )


def config_of(clients: int, rounds: int) -> dict[str, Any]:
    """Return the settings of a run that the local driver and Flower's simulation both make."""
    return {
        "rounds": rounds,
        "federation": {"clients": clients, "participation": 1.0},
        "probe": {"num_directions": DIRECTIONS, "batch": 8},
        "update": {"step_size": 0.02},
        "engine": {"chunk": 64, "threads": 1, "clients": 1, "route": "rank_one"},
        "output": {"evaluate_every": 0},
    }


def plain(clients: int, rounds: int) -> dict[str, Any]:
    """Return what the local driver takes for that run, and its digests."""
    from baffle.config import resolve
    from baffle.drivers.local.task import task_of as named_task_of

    settings = resolve(config_of(clients, rounds))
    with tempfile.TemporaryDirectory(prefix="baffle-scale-") as folder:
        session = start(settings, named_task_of(settings), Path(folder) / "run")
        started = time.process_time()
        session.run()
        processor = time.process_time() - started
        rows = session.log.rows
        session.close()
    return {
        "digests": [row["digest"] for row in rows],
        "rounds": [row["round_seconds"] for row in rows],
        "processor_seconds": processor / rounds,
        "peak_mib": peak_mib(),
    }


def flower(clients: int, rounds: int, run_dir: str) -> None:
    """Make that run in Flower's simulation, into a folder."""
    from flwr.simulation import run_simulation

    from baffle.flower import client_app, server_app

    fleet = {"run_dir": run_dir, "poll": 0.02, "deadline": 600.0}
    run_simulation(
        server_app({**config_of(clients, rounds), "fleet": fleet}),
        client_app(),
        num_supernodes=clients,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )


WAYS: dict[str, Callable[..., dict[str, Any] | None]] = {
    "many": many,
    "roster": roster,
    "plain": plain,
    "flower": flower,
}


def main(way: str, given: str) -> None:
    """Do one thing; what it returns goes to standard output."""
    found = WAYS[way](**json.loads(given))
    if found is not None:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
