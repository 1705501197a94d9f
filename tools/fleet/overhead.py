"""Seconds a round of our app and of a bare one that echoes as many bytes, in one deployment.

    python -m tools.fleet.overhead --rounds 8 --turns 2 --output benchmarks/fleet_overhead.json

Both run on the same SuperLink, SuperNodes and loop, in turns, so that whatever else the machine
does falls on both. Medians leave out each run's first round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.fleet.demo import APP, app_config, node_configs, rows_of
from tools.fleet.deployment import Deployment
from tools.fleet.echo import measure
from tools.fleet.figures.writing import figures
from tools.fleet.flower import FlowerFailed

LIMIT_SECONDS = 900.0


def ours(fleet: Deployment, rounds: int, folder: Path, run_dir: Path) -> list[dict[str, Any]]:
    """Run our app and return the rows of its rounds.

    Raises:
        FlowerFailed: the run did not complete.
    """
    state = fleet.wait(fleet.run(APP, app_config(rounds, folder, run_dir)), LIMIT_SECONDS)
    if not state.completed:
        raise FlowerFailed(f"our run is {state.status}: {state.details}\n{fleet.log('superlink')}")
    return rows_of(run_dir)


def payload(rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return the payload of a client in a steady round: median bytes (down, up)."""
    down, up = [], []
    for before, row in itertools.pairwise(rows[1:]):
        down.append((row["bytes_down"] - before["bytes_down"]) / row["asked"])
        up.append((row["bytes_up"] - before["bytes_up"]) / row["asked"])
    return round(statistics.median(down)), round(statistics.median(up))


def compare(folder: Path, rounds: int, turns: int) -> dict[str, Any]:
    """Return what both take, in turns."""
    mine: list[float] = []
    bare: list[float] = []
    with Deployment(folder, node_configs(folder)) as fleet:
        for turn in range(turns):
            rows = ours(fleet, rounds, folder, folder / f"run-{turn}")
            mine += [row["round_seconds"] for row in rows[1:]]
            down, up = payload(rows)
            options = {"rounds": rounds, "down": down, "up": up, "poll": 0.1}
            found = measure(fleet, options, LIMIT_SECONDS)
            bare += [row["seconds"] for row in found["rounds"][1:]]
            print(
                f"turn {turn + 1}: ours {mine[1 - rounds :]}, bare {bare[1 - rounds :]}", flush=True
            )
    ours_median, bare_median = statistics.median(mine), statistics.median(bare)
    return {
        "ours": ours_median,
        "bare": bare_median,
        "ratio": ours_median / bare_median,
        "bytes_down": down,
        "bytes_up": up,
        "nodes": len(fleet.node_configs),
        "ours_seconds": mine,
        "bare_seconds": bare,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m tools.fleet.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="baffle-overhead-") as scratch:
        measured = compare(Path(scratch), asked.rounds, asked.turns)
    print(json.dumps({k: v for k, v in measured.items() if "_seconds" not in k}, indent=1))
    if asked.output:
        with figures(asked.output) as rows:
            rows.append(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
