"""Processes of one thread each that work off cells, and live from one cell to the next.

A worker reads a cell a line from its standard input and writes messages, one JSON object a line,
to its standard output: {"progress": …} now and then, {"line": …} or {"error": …} at the end. It
ends when its input does, so none outlives this process, whatever ended it.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from baffle.drivers.compare.cells import Cell

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Said:
    """What came of a cell, or how it goes on.

    Args:
        cell: which.
        progress: {"round", "rounds", …}, where the work goes on.
        line: its result, at its end.
        error: why there is none.
    """

    cell: Cell
    progress: Mapping[str, Any] | None = None
    line: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the worker is free again."""
        return self.progress is None


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    cell: Cell | None = None
    rest: bytes = field(default=b"")

    def told(self, text: bytes) -> bool:
        """Write to it; returns whether it was there to read."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def last_words(self) -> str:
        """Return what a process that broke down said last."""
        self.errors.seek(0)
        words = self.errors.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else f"it ended with status {self.process.wait()}"


class Pool:
    """Up to `jobs` workers.

    Args:
        command: starts one.
        jobs: at the most; a worker is started when it is first needed.
        scratch: folder for the workers' temporary files, emptied before and deleted after, since
            a worker that is killed cannot do so.
    """

    def __init__(self, command: Sequence[str], jobs: int, scratch: Path) -> None:
        self.command, self.jobs, self.scratch = list(command), jobs, scratch.absolute()
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            for pipe in (worker.process.stdin, worker.process.stdout, worker.errors):
                _close(pipe)
        self._selector.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def running(self) -> list[Cell]:
        """The cells that are being worked on."""
        return [w.cell for w in self._workers if w.cell is not None]

    @property
    def free(self) -> int:
        """How many more cells can be taken."""
        return self.jobs - len(self.running)

    def submit(self, cell: Cell) -> None:
        """Give a cell to a free worker; `free` must be above 0.

        Workers that ended while they had nothing to do are replaced.
        """
        asked = json.dumps(asdict(cell)).encode() + b"\n"
        for worker in [w for w in self._workers if w.cell is None]:
            if worker.process.poll() is None and worker.told(asked):
                worker.cell = cell
                return
            self._remove(worker)
        worker = self._start()
        worker.cell = cell
        worker.told(asked)  # if it broke down already, `listen` hears of it

    def _start(self) -> _Worker:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | dict.fromkeys(THREADS, "1") | {"TMPDIR": str(self.scratch)},
            start_new_session=True,  # Ctrl-C is for this process, which ends its workers
        )
        worker = _Worker(process, errors)
        self._workers.append(worker)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
        return worker

    def listen(self, seconds: float) -> Iterator[Said]:
        """Yield what workers say within so many seconds, returning at the first news."""
        for ready, _ in self._selector.select(seconds):
            yield from self._hear(ready.data)

    def _hear(self, worker: _Worker) -> Iterator[Said]:
        assert worker.process.stdout is not None
        data = os.read(worker.process.stdout.fileno(), 2**16)
        if not data:
            yield from self._lost(worker)
            return
        *whole, worker.rest = (worker.rest + data).split(b"\n")
        for text in whole:
            assert worker.cell is not None
            said = Said(worker.cell, **json.loads(text))
            if said.ended:
                worker.cell = None
            yield said

    def _lost(self, worker: _Worker) -> Iterator[Said]:
        """Take a process that ended off the list; its cell has failed."""
        words = self._remove(worker)
        if worker.cell is not None:
            yield Said(worker.cell, error=f"its process broke down: {words}")

    def _remove(self, worker: _Worker) -> str:
        """Take a process that ended off the list; returns what it said last."""
        self._selector.unregister(worker.process.stdout)  # type: ignore[arg-type]
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.wait()
        words = worker.last_words()
        for pipe in (worker.process.stdin, worker.process.stdout, worker.errors):
            _close(pipe)
        return words


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:  # what was not written will not be read any more
        return
