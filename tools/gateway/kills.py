"""Devices and a gateway that are killed at random moments: the digests are those of a quiet run.

    python -m tools.gateway.kills [--kills 50] [--rounds 200] [--devices 4] [--seed 0]

Real processes on loopback: `baffle gateway` over HTTPS and `baffle device`s without torch. Every
device is asked in every round, and a round waits for all of them, so that kills may change when
something happens and never what.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from baffle.config import resolve
from baffle.drivers.device.start import command_line, environment
from baffle.drivers.export import export
from baffle.drivers.fleet.identity import SECRET
from baffle.drivers.local.task import task_of
from baffle.ledger import Ledger

DEADLINE = 600.0  # seconds of a round, and of the whole
UP_SECONDS = 60.0


@dataclass
class Scene:
    """Files that both runs share.

    Args:
        folder: of all files.
        settings: of the run, as a configuration file has them.
        devices: how many.
    """

    folder: Path
    settings: dict[str, object]
    devices: int

    def prepare(self) -> None:
        """Write the model, each device's data, the configuration and a certificate."""
        task = task_of(resolve(self.settings))
        export(task.model, task.loss, task.train.batch(np.arange(8)), self.folder / "model", (8,))
        for number, rows in enumerate(task.rows):
            own = self.folder / "data" / str(number)
            own.mkdir(parents=True)
            x, y = task.train.batch(np.asarray(rows))
            np.save(own / "input.npy", x.numpy())
            np.save(own / "target.npy", y.numpy())
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        pair = ["-keyout", str(self.folder / "tls.key"), "-out", str(self.folder / "tls.pem")]
        made = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"]
        subprocess.run([*made, *pair, *subject], check=True, capture_output=True)


@dataclass
class Stage:
    """One run: a gateway, devices, and who of them is up.

    Args:
        scene: files.
        name: of the run's folder.
    """

    scene: Scene
    name: str
    port: int = field(default_factory=lambda: _free_port())  # noqa: PLW0108 (it stands below)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.scene.folder / self.name / "run"

    def begin(self) -> None:
        """Start everything."""
        self.run.parent.mkdir()
        tokens = self._command("gateway-token", "--count", str(self.scene.devices)).split()
        for number, token in enumerate(tokens):
            (self.run.parent / f"token-{number}").write_text(token)
        self.start("gateway")
        for number in range(self.scene.devices):
            self._same_secret(number)
            self.start(str(number))

    def _same_secret(self, number: int) -> None:
        """Give a device the secret that it has in the other run: its examples are drawn by it."""
        folder = self.run.parent / f"state-{number}"
        folder.mkdir(mode=0o700)
        (folder / SECRET).write_bytes(hashlib.sha256(b"device %d" % number).digest())

    def _command(self, *words: str) -> str:
        given = [sys.executable, "-m", "baffle.cli", *words, *self._run_options()]
        return subprocess.run(given, check=True, capture_output=True, text=True).stdout

    def _run_options(self) -> list[str]:
        config = self.scene.folder / "run.toml"
        return ["--run-dir", str(self.run), "--config", str(config)]

    def start(self, name: str) -> None:
        """Start the gateway, or the device of that number."""
        log = (self.run.parent / f"{name}.log").open("ab")
        command = self._gateway() if name == "gateway" else self._device(int(name))
        self.processes[name] = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment(), start_new_session=True
        )
        log.close()

    def _gateway(self) -> list[str]:
        pair = ["--cert", str(self.scene.folder / "tls.pem"), "--key"]
        place = ["--port", str(self.port), *pair, str(self.scene.folder / "tls.key")]
        return [sys.executable, "-m", "baffle.cli", "gateway", *self._run_options(), *place]

    def _device(self, number: int) -> list[str]:
        own, folder = self.run.parent, self.scene.folder
        return command_line(
            "baffle.drivers.device",
            [
                *("--server", f"https://127.0.0.1:{self.port}", "--ca", str(folder / "tls.pem")),
                *("--model", str(folder / "model"), "--data", str(folder / "data" / str(number))),
                *("--state", str(own / f"state-{number}"), "--token", str(own / f"token-{number}")),
                *("--client", str(number), "--until-done"),
            ],
        )

    def kill(self, name: str) -> None:
        """Kill one and start it again."""
        process = self.processes[name]
        process.kill()
        process.wait()
        self.start(name)

    @property
    def over(self) -> bool:
        """Whether the gateway has ended by itself."""
        return self.processes["gateway"].poll() is not None

    def stored(self) -> list[str]:
        """Return the digests of the rounds that are stored."""
        try:
            with Ledger.open(self.run) as ledger:
                return [row.digest.hex() for row in ledger.rows()]
        except Exception:  # it is just being made
            return []

    def end(self) -> None:
        """Stop whoever is left."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def play(stage: Stage, kills: int, chance: random.Random) -> int:
    """Run a stage to its end, killing somebody now and then; return how many were killed."""
    stage.begin()
    done, ends = 0, time.monotonic() + DEADLINE
    names = ["gateway", *map(str, range(stage.scene.devices))]
    try:
        _wait(lambda: bool(stage.stored()) or stage.over, UP_SECONDS)
        while not stage.over and time.monotonic() < ends:
            time.sleep(chance.uniform(0.02, 0.4))
            if done < kills and not stage.over:
                name = "gateway" if done % 2 else chance.choice(names[1:])
                _kill(stage, name)
                done += 1
    finally:
        stage.end()
    return done


def _kill(stage: Stage, name: str) -> None:
    """Kill one; after the gateway wait for a round, since what has not begun cannot be harmed."""
    before = len(stage.stored())
    stage.kill(name)
    if name == "gateway":
        _wait(lambda: len(stage.stored()) > before or stage.over, UP_SECONDS)


def _wait(what: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not what() and time.monotonic() < ends:
        time.sleep(0.1)


def main(arguments: Sequence[str]) -> int:
    """Play both runs and compare them; 0 if they are the same in every round."""
    parser = argparse.ArgumentParser("python -m tools.gateway.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the files")
    given = parser.parse_args(arguments)
    settings = {
        "rounds": given.rounds,
        "federation": {"clients": given.devices, "participation": 1.0},
        "update": {"step_size": 0.05},
    }
    folder = Path(tempfile.mkdtemp(prefix="baffle-kills-"))
    scene = Scene(folder, settings, given.devices)
    (folder / "run.toml").write_text(
        f"rounds = {given.rounds}\n[federation]\nclients = {given.devices}\nparticipation = 1.0\n"
        "[update]\nstep_size = 0.05\n"
        f"[fleet]\nmin_clients = {given.devices}\ndeadline = {DEADLINE}\ngather = {DEADLINE}\n"
        "poll = 0.02\nremind = 2.0\n"
    )
    scene.prepare()
    digests = {}
    for name, kills in (("quiet", 0), ("killed", given.kills)):
        started = time.monotonic()
        stage = Stage(scene, name)
        done = play(stage, kills, random.Random(given.seed))
        digests[name] = stage.stored()
        seconds = time.monotonic() - started
        print(f"{name}: {len(digests[name])} rounds, {done} kills, {seconds:.0f} s", flush=True)
    same = digests["quiet"] == digests["killed"] and len(digests["quiet"]) == given.rounds
    print("SAME in every round" if same else f"DIFFERENT; files are in {folder}")
    if same and not given.keep:
        subprocess.run(["rm", "-r", str(folder)], check=True)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
