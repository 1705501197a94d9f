"""A worker's folder for each test, and the proof that no process of it is left."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from baffle.drivers.worker.call import call, stop
from baffle.drivers.worker.processes import identity

ROOT = Path(__file__).parents[3]
HANDLERS = "tests.drivers.worker.handlers"
PATHS = [str(ROOT), *sys.path]


class Folder:
    """Calls to the worker of one folder, with every process id that was seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pids: set[int] = set()

    def ask(self, *parts, factory="behave", options=None, **settings):
        settings = {"patience": 20.0, "watch_pid": None, "paths": PATHS, **settings}
        reference = f"{HANDLERS}:{factory}"
        return call(self.path, reference, options or {}, list(parts), **settings)

    def pid(self, **settings) -> int:
        found = int(self.ask(b"pid", **settings))
        self.pids.add(found)
        return found


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path / "worker")
    yield made
    stop(made.path, patience=1.0)
    assert not processes_of(made.path)
    assert not [pid for pid in made.pids if identity(pid)]


def processes_of(path: Path) -> list[int]:
    """Living processes that were started for a worker's folder, its forked children included."""
    wanted = str(path).encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in words and identity(int(entry.name)):
            found.append(int(entry.name))
    return found


def wait_until(true, seconds=5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(true())
