"""Seconds a round of the bare echo app, the baseline that our own app is compared with."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.fleet.deployment import Deployment
from tools.fleet.flower import FlowerFailed, Value

APP = Path(__file__).resolve().parents[2] / "benchmarks" / "flower_echo"


def measure(fleet: Deployment, config: Mapping[str, Value], patience: float) -> dict[str, Any]:
    """Run the echo app on `fleet` and return its rounds and their median seconds.

    Raises:
        FlowerFailed: the run did not complete.
    """
    output = fleet.folder / "echo.json"
    output.unlink(missing_ok=True)
    options: dict[str, Value] = {"nodes": len(fleet.node_configs), **config, "output": str(output)}
    state = fleet.wait(fleet.run(APP, options), patience)
    if not state.completed:
        raise FlowerFailed(f"the echo run is {state.status}: {state.details}")
    found: dict[str, Any] = json.loads(output.read_text())
    seconds = [row["seconds"] for row in found["rounds"]]
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    about = {"machine": machine, "load": os.getloadavg()[0], "config": dict(config)}
    return {**about, "median": statistics.median(seconds), "seconds": seconds, **found}
