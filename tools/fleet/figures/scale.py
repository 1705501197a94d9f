"""Seconds and memory with many clients: 10,000 in the local driver, 50 in Flower's simulation.

    python -m tools.fleet.figures.scale

The local driver has 10,000 clients, of which 10, 100 and 1,000 are asked each round. Flower's
simulation makes the run that the local driver makes in the same minutes, with 5 and with 50
clients, and both must have the same digest in each round. Each way has a process of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.fleet import processes
from tools.fleet.demo import rows_of
from tools.fleet.figures.memory import marked
from tools.fleet.figures.writing import Row, figures, output

CLIENTS, COHORTS, ROUNDS = 10_000, (10, 100, 1_000), 5
NODES, FLOWER_ROUNDS = (5, 50), 8
LOOK_SECONDS = 0.5
LIMIT_SECONDS = 900.0
OFFLINE = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
OFFLINE |= {"RAY_USAGE_STATS_ENABLED": "0"}


class Failed(Exception):
    """A measuring process failed, or two runs that must be one are not."""


def _command(way: str, given: Mapping[str, Any]) -> list[str]:
    return [sys.executable, "-m", "tools.fleet.figures.scaled", way, json.dumps(given)]


def in_process(way: str, **given: Any) -> Row:
    """Return what a fresh process says of itself, see scaled.py.

    Raises:
        Failed: it ended with an error.
    """
    done = subprocess.run(_command(way, given), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{way} {given}: {done.stderr.strip()[-400:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def simulated(clients: int, rounds: int, folder: Path) -> Row:
    """Run Flower's simulation and watch all of its processes from outside.

    Args:
        clients: nodes, all asked each round.
        rounds: of the run.
        folder: for the run and the log.

    Returns:
        `start_seconds` from the process's start to the first round's opening, `rounds` in seconds,
        `end_seconds` from the last round to the process's end, `digests`, `peak_mib` of all
        processes together, shared pages counted once, and how many they were at most.

    Raises:
        Failed: it ended with an error, or took too long.
    """
    folder.mkdir(parents=True)
    given = {"clients": clients, "rounds": rounds, "run_dir": str(folder / "run")}
    mark, began = processes.new_mark(), time.monotonic()
    with (folder / "log").open("wb") as log:
        process = processes.start(
            _command("flower", given),
            mark=mark,
            role="simulation",
            environment={**os.environ, **OFFLINE},
            log=log,
        )
        try:
            seen = _watched(process, mark, began, rounds, folder / "run")
        finally:
            processes.stop(mark)
            process.wait()
    rows = rows_of(folder / "run")
    if process.returncode or len(rows) != rounds:
        raise Failed(f"simulation of {clients}: {(folder / 'log').read_text()[-800:]}")
    seconds = [row["round_seconds"] for row in rows]
    first, last, ended = seen.pop("first"), seen.pop("last"), time.monotonic()
    return {
        "start_seconds": first - seconds[0] - began,
        "end_seconds": ended - last,
        "rounds": seconds,
        "digests": [row["digest"] for row in rows],
        **seen,
    }


def _watched(
    process: subprocess.Popen[bytes], mark: str, began: float, rounds: int, run_dir: Path
) -> dict[str, Any]:
    """Return when the first and the last round were seen, and the most memory."""
    seen: dict[str, Any] = {"first": began, "last": began, "peak_mib": 0.0, "processes": 0}
    known = 0
    while process.poll() is None:
        mib, number = marked(mark)
        seen["peak_mib"] = max(seen["peak_mib"], mib)
        seen["processes"] = max(seen["processes"], number)
        found = len(rows_of(run_dir))
        seen["first"] = time.monotonic() if found and not known else seen["first"]
        seen["last"] = time.monotonic() if found > known else seen["last"]
        known = found
        if time.monotonic() - began > LIMIT_SECONDS:
            raise Failed(f"not done after {LIMIT_SECONDS:.0f} s and {known} of {rounds} rounds")
        time.sleep(LOOK_SECONDS)
    return seen


def compared(clients: int, rounds: int, folder: Path) -> Row:
    """Return a row on Flower's simulation beside the local driver.

    Raises:
        Failed: their digests differ.
    """
    ours = in_process("plain", clients=clients, rounds=rounds)
    theirs = simulated(clients, rounds, folder)
    if theirs.pop("digests") != (digests := ours.pop("digests")):
        raise Failed(f"{clients} clients: the simulation's digests are not the local driver's")
    sides = {"local": ours, "flower": theirs}
    for side in sides.values():
        side["round_seconds"] = statistics.median(side["rounds"][1:])
    return {"driver": "flower", "clients": clients, "digest": digests[-1], **sides}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write."""
    file, _ = output("scale", __doc__, arguments)
    with figures(file) as rows, tempfile.TemporaryDirectory(prefix="baffle-scale-") as folder:
        idle = in_process("roster", clients=CLIENTS)
        for cohort in COHORTS:
            row = {**in_process("many", clients=CLIENTS, cohort=cohort, rounds=ROUNDS), **idle}
            print({k: v for k, v in row.items() if k != "engine"}, flush=True)
            rows.append({"driver": "local", **row})
        for nodes in NODES:
            row = compared(nodes, FLOWER_ROUNDS, Path(folder) / str(nodes))
            print(row, flush=True)
            rows.append(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
