"""Run cells one after another in this process, or several at once in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.harness.results import Line
from experiments.harness.study import STUDIES, Cell, Study
from experiments.harness.work import work

POLL = 0.1  # seconds between looks at the processes
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Ended:
    """A cell's end: its line, or None if it failed; why was printed."""

    cell: Cell
    line: Line | None


def run_here(study: Study, cell: Cell) -> Ended:
    """Run a cell in this process; a failure is printed and the study goes on."""
    try:
        return Ended(cell, work(study, cell))
    except Exception:
        traceback.print_exc()
        return Ended(cell, None)


def run_at_once(study: Study, cells: Sequence[Cell], jobs: int) -> Iterator[Ended]:
    """Run cells in up to `jobs` processes of one thread each, and yield each at its end.

    Whatever ends this generator ends its processes.
    """
    waiting, running = list(cells), dict[Cell, _Child]()
    with tempfile.TemporaryDirectory(prefix="baffle-study-") as folder, _ended(running):
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                running[cell] = _start(study, cell, Path(folder) / cell.id)
            for cell in [c for c, child in running.items() if child.process.poll() is not None]:
                yield Ended(cell, running.pop(cell).line())
            time.sleep(POLL)


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    out: Path

    def line(self) -> Line | None:
        if self.process.returncode or not self.out.exists():
            return None
        found: Line = json.loads(self.out.read_text(encoding="utf-8"))
        return found


def _start(study: Study, cell: Cell, out: Path) -> _Child:
    command = [sys.executable, "-m", "experiments.harness.child", study.module, cell.id, str(out)]
    alone = os.environ | dict.fromkeys(THREADS, "1")
    return _Child(subprocess.Popen(command, cwd=STUDIES.parent, env=alone), out)


@contextmanager
def _ended(running: dict[Cell, _Child]) -> Iterator[None]:
    try:
        yield
    finally:
        for child in running.values():
            child.process.terminate()
        for child in running.values():
            child.process.wait()
