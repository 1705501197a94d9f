"""A SuperLink and SuperNodes on loopback that can be killed and started again."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.fleet import api, flower, processes
from tools.fleet.certificates import make_certificates, make_node_key
from tools.fleet.flower import FlowerFailed, Value

SUPERLINK = "superlink"
SERVER_APP = "flwr-serverapp"


@dataclass(frozen=True)
class RunState:
    """What the SuperLink says of a run: status like `running` or `finished:failed`, and why."""

    status: str
    details: str = ""

    @property
    def over(self) -> bool:
        return self.status.startswith("finished")

    @property
    def completed(self) -> bool:
        return self.status == "finished:completed"


class Deployment:
    """One SuperLink with TLS, a database and node authentication, and `nodes` SuperNodes.

    Args:
        folder: keys, database, logs and Flower's homes go here; made when it is missing.
        nodes: SuperNodes, or a node configuration for each.
        environment: further variables for all processes.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int | Sequence[Mapping[str, Value]] = 3,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        if isinstance(nodes, int):
            nodes = [{"partition-id": i, "num-partitions": nodes} for i in range(nodes)]
        self.node_configs = [dict(config) for config in nodes]
        self.mark = processes.new_mark()
        self._extra = dict(environment or {})
        self._children: list[subprocess.Popen[bytes]] = []
        self.port, *self.node_ports = flower.free_ports(1 + len(self.node_configs))

    @property
    def address(self) -> str:
        """The SuperLink's host and port."""
        return f"127.0.0.1:{self.port}"

    # --- beginning and end

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make keys and certificates, start everything, register the nodes, wait until all are on.

        Raises:
            FlowerFailed: a part did not start; the message has the end of its log.
        """
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        (self.folder / "mark").write_text(self.mark)
        self.certificates = make_certificates(self.folder / "keys")
        self.home = self.folder / "home"
        flower.configure(self.home, self.address, self.certificates.authority)
        self.start_superlink()
        indices = range(len(self.node_configs))
        with ThreadPoolExecutor(4) as pool:
            self.registered = list(pool.map(self._register, indices))
        for index in indices:
            self.start_node(index, wait=False)
        for index in indices:
            self._wait_node(index, 0)

    def _register(self, index: int) -> int:
        public = make_node_key(self.folder / "keys" / f"node-{index}")
        answer = flower.flwr(self._environment(), "supernode", "register", str(public))
        return int(answer["node-id"])

    def stop(self) -> None:
        """Stop every process of this deployment; raises if one is left."""
        stop_all(self.mark)
        for child in self._children:
            child.wait(timeout=10)
        self._children.clear()

    def alive(self) -> list[processes.Found]:
        """Return all living processes of this deployment, grandchildren included."""
        return processes.find(self.mark)

    # --- the SuperLink

    def start_superlink(self, patience: float = 40) -> None:
        """Start the SuperLink, the first time or after a kill, and wait until it answers."""
        keys = self.certificates
        command: list[str | Path] = [flower.program("flower-superlink")]
        command += [
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--database",
            self.folder / "superlink.db",
        ]
        command += ["--ssl-ca-certfile", keys.authority, "--ssl-certfile", keys.certificate]
        command += ["--ssl-keyfile", keys.key, "--enable-supernode-auth"]
        self._start(SUPERLINK, command, self.home)
        _wait(self._answers, patience, lambda: f"the SuperLink: {self.log(SUPERLINK)}")

    def _answers(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as plain:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except OSError:
            return False
        return True

    def kill_superlink(self, *, children: bool = True) -> int:
        """SIGKILL the SuperLink; with its children as when the machine dies, or alone."""
        return self._kill(SUPERLINK, "" if children else "flower-superlink")

    def kill_server_app(self) -> int:
        """SIGKILL the ServerApp's process; return how many there were."""
        return self._kill(SUPERLINK, SERVER_APP)

    # --- SuperNodes

    def start_node(self, index: int, *, wait: bool = True) -> None:
        """Start SuperNode `index` with its own key and port, the first time or after a kill."""
        home = self.folder / f"home-{index}"
        home.mkdir(exist_ok=True)
        begin = len(self.log(f"node-{index}", None))
        command: list[str | Path] = [flower.program("flower-supernode")]
        command += ["--superlink", self.address]
        command += ["--root-certificates", self.certificates.authority]
        command += ["--auth-supernode-private-key", self.folder / "keys" / f"node-{index}"]
        command += ["--host", "127.0.0.1", "--port", str(self.node_ports[index])]
        command += ["--node-config", flower.toml_pairs(self.node_configs[index])]
        self._start(f"node-{index}", command, home)
        if wait:
            self._wait_node(index, begin)

    def _wait_node(self, index: int, begin: int, patience: float = 40) -> None:
        name = f"node-{index}"

        def connected() -> bool:
            return "SuperNode ID:" in self.log(name, None)[begin:]

        _wait(connected, patience, lambda: f"SuperNode {index}: {self.log(name)}")

    def node_id(self, index: int) -> int:
        """Return the id that SuperNode `index` got when it last connected."""
        return int(re.findall(r"SuperNode ID: (\d+)", self.log(f"node-{index}", None))[-1])

    def kill_node(self, index: int) -> int:
        """SIGKILL SuperNode `index` with all that it started; return how many processes."""
        return self._kill(f"node-{index}")

    def sign_off(self, index: int) -> None:
        """Tell the SuperLink that SuperNode `index` is gone, so that it may come back at once."""
        key = self.folder / "keys" / f"node-{index}"
        api.sign_off(self.address, self.certificates.authority, key, self.registered[index])

    # --- runs

    def run(self, app: Path, config: Mapping[str, Value] | None = None) -> int:
        """Submit the app folder `app` by `flwr run` and return the run's id."""
        arguments = ["run", str(app), flower.CONNECTION]
        if config:
            arguments += ["--run-config", flower.toml_pairs(config)]
        return int(flower.flwr(self._environment(), *arguments)["run-id"])

    def state(self, run: int) -> RunState:
        """Return what the SuperLink says of `run`."""
        return RunState(*api.run_status(self.address, self.certificates.authority, run))

    def wait(self, run: int, patience: float, pause: float = 0.5) -> RunState:
        """Wait until `run` is over and return how it ended.

        Raises:
            FlowerFailed: it is not over after `patience` seconds.
        """
        until = time.monotonic() + patience
        while not (state := self.state(run)).over:
            if time.monotonic() > until:
                raise FlowerFailed(f"run {run} is {state.status} after {patience} s")
            time.sleep(pause)
        return state

    # --- parts

    def log(self, name: str, lines: int | None = 20) -> str:
        """Return the last `lines` of a log (all: None); a ServerApp writes to `superlink`."""
        path = self.folder / "logs" / f"{name}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return text if lines is None else "\n".join(text.splitlines()[-lines:])

    def _environment(self) -> dict[str, str]:
        return flower.environment(self.home, self._extra)

    def _start(self, role: str, command: Sequence[str | Path], home: Path) -> None:
        env = flower.environment(home, self._extra)
        with (self.folder / "logs" / f"{role}.log").open("ab") as log:
            child = processes.start(command, mark=self.mark, role=role, environment=env, log=log)
        self._children.append(child)

    def _kill(self, role: str, containing: str = "") -> int:
        killed = processes.kill(self.mark, role, containing)
        # A dead child that nobody waits for keeps its id, and Flower's children look for that.
        self._children = [child for child in self._children if child.poll() is None]
        return killed


def stop_all(mark: str) -> None:
    """Stop all processes that carry `mark`, nodes first, so that they can sign off.

    Raises:
        RuntimeError: a process is left.
    """
    roles = sorted({process.role for process in processes.find(mark)} - {SUPERLINK})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda role: processes.stop(mark, role), roles))
    processes.stop(mark)
    if left := processes.find(mark):
        raise RuntimeError(f"these processes are left: {left}")


def stop_folder(folder: Path) -> int:
    """Stop what a deployment in `folder` left behind when it was itself killed; return how many."""
    with contextlib.suppress(FileNotFoundError):
        mark = (folder / "mark").read_text().strip()
        left = len(processes.find(mark))
        stop_all(mark)
        return left
    return 0


def _wait(ready: Callable[[], bool], patience: float, what: Callable[[], str]) -> None:
    until = time.monotonic() + patience
    while not ready():
        if time.monotonic() > until:
            raise FlowerFailed(f"not ready after {patience} s: {what()}")
        time.sleep(0.1)
