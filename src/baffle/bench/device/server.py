"""A fleet's server with one client behind a pipe: real rounds, catch-up and all."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baffle.bench.memory import ProcessFailed
from baffle.config import FleetSettings, Settings
from baffle.drivers.device.frames import receive, send
from baffle.drivers.device.piped import NODE
from baffle.drivers.device.start import command_line, environment
from baffle.drivers.fleet.run import open_run
from baffle.drivers.fleet.serve import Serving
from baffle.drivers.fleet.task import ServerTask
from baffle.fleet import Outgoing
from baffle.monitor import Many

SECONDS = 600.0  # after which a client that answers with nothing but trouble is given up


@dataclass(frozen=True)
class Answer:
    """What came of an ask."""

    node: int
    data: bytes | None
    problem: str | None = None


@dataclass
class Pipe:
    """A transport to one process, which answers each ask at once."""

    process: subprocess.Popen[bytes]
    _answers: list[Answer] = field(default_factory=list)

    def nodes(self) -> frozenset[int]:
        """Return the one node."""
        return frozenset({NODE})

    def carry(self, messages: Iterable[Outgoing], seconds: float, group: str) -> None:
        """Send an ask and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for message in messages:
            send(self.process.stdin, message.parts)
            found = receive(self.process.stdout)
            if found is None:
                raise ProcessFailed("the measured client ended")
            self._answers.append(Answer(message.node, found[0]))

    def poll(self) -> Iterable[Answer]:
        """Return what came since."""
        found, self._answers = self._answers, []
        return found


def serve(
    settings: Settings, task: ServerTask, model: Path, data: Path, memory: float
) -> dict[str, Any]:
    """Run a fleet of one client in a fresh process; return what that process says of itself.

    Raises:
        ProcessFailed: it ended with an error, or did not hold the last state.
    """
    with tempfile.TemporaryDirectory(prefix="baffle-device-") as parent:
        given = [str(model), str(data), str(Path(parent) / "state"), str(memory)]
        with subprocess.Popen(
            command_line("baffle.drivers.device.piped", given),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            try:
                _rounds(settings, task, Path(parent) / "run", process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
            assert process.stderr is not None
            said = process.stderr.read().decode(errors="replace").strip().splitlines()
    return _figures(said, process.returncode)


def _rounds(
    settings: Settings, task: ServerTask, folder: Path, process: subprocess.Popen[bytes]
) -> None:
    fleet = FleetSettings(min_clients=1, gather=0.0, poll=0.01)
    run = open_run(settings, fleet, lambda settings: task, folder)
    try:
        ends = time.monotonic() + SECONDS
        Serving(run, Pipe(process), Many({}), stop=lambda: time.monotonic() > ends).serve()
    finally:
        run.close()


def _figures(said: Sequence[str], code: int | None) -> dict[str, Any]:
    last = said[-1] if said else "no message"
    try:
        found = json.loads(last)
    except json.JSONDecodeError:
        found = {}
    if code or not isinstance(found, dict) or not found.get("done"):
        raise ProcessFailed(f"the measured client failed: {last}")
    return found
