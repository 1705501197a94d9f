"""Submit a run to a SuperLink, and again whenever nothing works on it before its last round.

    python keep_going.py APP CONNECTION RUN_FOLDER [--config FILE]

Flower says of a run that it ended, not what it reached, and still calls a run "running" that was
killed a minute ago. The run folder knows better: its lock is held by the kernel for as long as a
server works on it, and fleet.json says "done" after the last round. A run submitted once too often
does no harm: the lock refuses a second server. Needs nothing beside Python and `flwr`.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

START_SECONDS = 120.0  # from a submission to the first sign of life
LOOK_SECONDS = 2.0
TRIES = 5  # submissions that came to nothing, one after the other, before a person has to look


def say(text: str) -> None:
    """Write a line to the unit's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def said(folder: Path) -> dict[str, object]:
    """Return what the server last wrote of itself; empty before it wrote anything."""
    try:
        found = json.loads((folder / "fleet.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def held(folder: Path) -> bool:
    """Return whether a living process writes to the run folder."""
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def rounds(folder: Path) -> int:
    """Return how many rounds the run's metrics hold."""
    try:
        return (folder / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def flwr(*arguments: str) -> dict[str, object]:
    """Run a command of Flower's and return its answer; empty, and its words shown, if it failed."""
    done = subprocess.run(
        ["flwr", *arguments, "--format", "json"], capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(done.stdout[done.stdout.find("{") :])
    except ValueError:
        answer = {}
    if not answer.get("success"):
        say(f"flwr {arguments[0]} failed: {(done.stdout + done.stderr).strip()}")
        return {}
    return dict(answer)


def over(connection: str, run: object) -> str | None:
    """Return how a run ended, None while Flower holds it for alive or cannot be asked."""
    found = flwr("list", connection, "--run-id", str(run)).get("runs")
    status = str(found[0].get("status", "")) if isinstance(found, list) and found else ""
    return status if status.startswith("finished") else None


def wait(connection: str, folder: Path, run: object) -> None:
    """Wait until nobody works on the run any more."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:  # not there yet
        if held(folder) or said(folder).get("stage") == "done" or over(connection, run):
            break
        time.sleep(LOOK_SECONDS)
    while held(folder):
        time.sleep(LOOK_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep a run going; 0 when it is done, 1 when several submissions came to nothing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("app", help="folder of the Flower app")
    parser.add_argument("connection", help="name in FLWR_HOME/config.toml")
    parser.add_argument("folder", type=Path, help="the run folder, as fleet.run-dir says")
    parser.add_argument("--config", help="TOML file with the run's configuration")
    asked = parser.parse_args(arguments)
    config = ["--run-config", asked.config] if asked.config else []
    failures = 0
    while said(asked.folder).get("stage") != "done":
        while held(asked.folder):  # someone's server is at work already
            time.sleep(LOOK_SECONDS)
        before = rounds(asked.folder)
        run = flwr("run", asked.app, asked.connection, *config).get("run-id")
        if run is not None:
            say(f"submitted as {run}, {before} rounds stored")
            wait(asked.connection, asked.folder, run)
        failures = 0 if rounds(asked.folder) > before else failures + 1
        if failures >= TRIES:
            say(f"{failures} submissions came to nothing; see the SuperLink's log")
            return 1
        time.sleep(LOOK_SECONDS * 2**failures)
    say(f"done, {rounds(asked.folder)} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
