"""Trials in processes of their own, so that one's memory is not another's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from baffle.bench.advise.trial import Trial, as_json
from baffle.bench.memory import ProcessFailed


class Trials:
    """A process that measures each trial in a copy of itself; see `trial.main`.

    Args:
        to, back: its pipes.
    """

    def __init__(self, to: IO[str], back: IO[str]) -> None:
        self._to, self._back = to, back

    def measure(self, trial: Trial) -> dict[str, Any]:
        """Return what was measured, see `trial.measure`.

        Raises:
            ProcessFailed: it ended with an error, which is told.
        """
        self._to.write(as_json(trial) + "\n")
        self._to.flush()
        line = self._back.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": "its process is gone"}
        if "error" in found:
            raise ProcessFailed(f"{trial.named.model}, {trial.way}: {found['error']}")
        return found


@contextmanager
def trials() -> Iterator[Trials]:
    """Start the process, and end it after the block."""
    command = [sys.executable, "-m", "baffle.bench.advise.trial"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Trials(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.kill()
