"""Flower's commands: environment, configuration and calls, away from the user's own settings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONNECTION = "fleet"
# Without these Flower looks for a newer version, sends telemetry and installs what an app names.
OFFLINE = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
Value = str | int | float | bool


class FlowerFailed(RuntimeError):
    """A flwr command ended badly; the message has what it printed."""


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that the system says are free."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def program(name: str) -> Path:
    """Return the path of a command of the environment that runs us."""
    return Path(sys.executable).parent / name


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for Flower's programs, with `home` as their FLWR_HOME."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLWR_")}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}"
    return {**own, **OFFLINE, "FLWR_HOME": str(home), "PYTHONUNBUFFERED": "1", **(extra or {})}


def configure(home: Path, address: str, authority: Path) -> None:
    """Write FLWR_HOME/config.toml: one SuperLink, with the certificate that it is known by."""
    home.mkdir(parents=True, exist_ok=True)
    lines = ["[superlink]", f'default = "{CONNECTION}"', "", f"[superlink.{CONNECTION}]"]
    lines += [f"address = {json.dumps(address)}"]
    lines += [f"root-certificates = {json.dumps(str(authority))}", ""]
    (home / "config.toml").write_text("\n".join(lines), encoding="utf-8")


def toml_pairs(values: Mapping[str, Value]) -> str:
    """Return `key=value key=value` as --run-config and --node-config read them.

    >>> toml_pairs({"rounds": 3, "name": "a b", "on": True})
    'rounds=3 name="a b" on=true'
    """
    return " ".join(f"{key}={json.dumps(value)}" for key, value in values.items())


def flwr(env: Mapping[str, str], *arguments: str, timeout: float = 60) -> dict[str, Any]:
    """Run `flwr ARGUMENTS --format json` and return its answer.

    Raises:
        FlowerFailed: it ended badly or said that it did not succeed.
    """
    command = [str(program("flwr")), *arguments, "--format", "json"]
    done = subprocess.run(
        command, env=dict(env), capture_output=True, text=True, timeout=timeout, check=False
    )
    start = done.stdout.find("{")
    answer = json.loads(done.stdout[start:]) if start >= 0 else {}
    if done.returncode or not answer.get("success"):
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise FlowerFailed(f"flwr {' '.join(arguments)} ended with {done.returncode}: {said}")
    return dict(answer)
