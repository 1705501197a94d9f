"""Processes of our own, found by a mark in their environment and stopped by their ids.

Flower starts processes that start processes, some in sessions of their own, so a process group
holds only a part of them. All of them inherit the environment, and with it our mark.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MARK, ROLE = "BAFFLE_FLEET_MARK", "BAFFLE_FLEET_ROLE"


@dataclass(frozen=True)
class Found:
    """A process with our mark."""

    pid: int
    role: str
    command: str


def new_mark() -> str:
    """Return a mark that no other process carries."""
    return secrets.token_hex(16)


def start(
    command: Sequence[str | Path],
    *,
    mark: str,
    role: str,
    environment: Mapping[str, str],
    log: IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, so that a Ctrl-C reaches it through us only."""
    marked = {**environment, MARK: mark, ROLE: role}
    return subprocess.Popen(
        [str(part) for part in command],
        env=marked,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def find(mark: str, role: str | None = None, containing: str = "") -> list[Found]:
    """Return the living processes that carry `mark`; zombies are dead."""
    found = [process for process in _all(mark) if role in (None, process.role)]
    return [process for process in found if containing in process.command]


def _all(mark: str) -> Iterator[Found]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        variables = _variables(entry)
        if variables.get(MARK) == mark:
            command = _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace")
            yield Found(int(entry.name), variables.get(ROLE, ""), command)


def _variables(entry: Path) -> dict[str, str]:
    text = _read(entry / "environ").decode(errors="replace")
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


def _read(path: Path) -> bytes:
    """Return a file of /proc, or nothing: processes end while we look, others are not ours."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def send(process: Found, mark: str, number: signal.Signals) -> None:
    """Signal `process`, if it is still the one that carries `mark` (ids are used again)."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if _variables(Path(f"/proc/{process.pid}")).get(MARK) == mark:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return  # it ended in between
    finally:
        os.close(handle)


def kill(mark: str, role: str | None = None, containing: str = "") -> int:
    """SIGKILL what matches until nothing does; return how many were killed."""
    killed: set[int] = set()
    until = time.monotonic() + 10
    while matching := find(mark, role, containing):
        for process in matching:
            send(process, mark, signal.SIGKILL)
            killed.add(process.pid)
        if time.monotonic() > until:
            raise RuntimeError(f"these processes outlived a SIGKILL: {matching}")
        time.sleep(0.02)
    return len(killed)


def stop(mark: str, role: str | None = None, grace: float = 4.0) -> int:
    """Ask with SIGTERM, wait `grace` seconds, then SIGKILL; return how many had to be killed."""
    for process in find(mark, role):
        send(process, mark, signal.SIGTERM)
    until = time.monotonic() + grace
    while time.monotonic() < until and find(mark, role):
        time.sleep(0.05)
    return kill(mark, role)
