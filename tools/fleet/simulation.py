"""The app in Flower's simulation; the SuperLink that `flwr run` starts for it is stopped again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.fleet import flower
from tools.fleet.flower import FlowerFailed, Value

LOCAL = "local"  # what Flower calls its own SuperLink
LIMIT_SECONDS = 300.0


def simulate(app: Path, config: Mapping[str, Value], nodes: int, home: Path) -> None:
    """Run an app in Flower's simulation and wait for its end.

    Args:
        app: folder.
        config: Flower's run configuration.
        nodes: how many are simulated.
        home: FLWR_HOME, made if missing; what was started under it is stopped.

    Raises:
        FlowerFailed: flwr ended badly; a run that fails does not show here, only in its folder.
    """
    home.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [flower.program("flwr"), "run", app, LOCAL, "--stream"]
    command += ["--run-config", flower.toml_pairs(config)]
    command += ["--federation-config", f"num-supernodes={nodes}"]
    try:
        done = subprocess.run(
            command,
            env=flower.environment(home),
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    finally:
        _stop(home)
    if done.returncode:
        raise FlowerFailed(f"flwr ended with {done.returncode}: {done.stdout}{done.stderr}")


def _stop(home: Path) -> None:
    """Stop what runs under a FLWR_HOME, by its own ids."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        for pid in _under(home):
            os.kill(pid, ending)
        until = time.monotonic() + 10
        while list(_under(home)) and time.monotonic() < until:
            time.sleep(0.1)


def _under(home: Path) -> Iterator[int]:
    wanted = f"FLWR_HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            living = entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            environment = entry.joinpath("environ").read_bytes().split(b"\0")
        except OSError:  # it ended, or it is someone else's
            continue
        if living and wanted in environment:
            yield int(entry.name)
