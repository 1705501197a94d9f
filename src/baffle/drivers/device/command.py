"""`baffle device`: a client that trains with ONNX Runtime alone.

This imports neither typer nor rich, which a device has no use for.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from baffle.backends.onnx.sessions import PROVIDER
from baffle.drivers.device.budget import Budget, kept
from baffle.drivers.device.conditions import Battery, Command, Condition
from baffle.drivers.device.exported import Exported, Place
from baffle.drivers.device.loop import Loop
from baffle.drivers.fleet.demands import demands_of
from baffle.drivers.fleet.identity import own_secret, pin_of_key
from baffle.drivers.http.caller import Caller
from baffle.drivers.http.wire import Keep
from baffle.drivers.resident import peak_mib
from baffle.drivers.spool import Spool
from baffle.drivers.worker.locks import FileLock
from baffle.errors import BaffleError, ConfigError
from baffle.fleet import FleetClient, FolderStore, Guard, Identity
from baffle.ledger.durable import make_folder

LOCK = "lock"
logger = logging.getLogger("baffle.device")


def parser() -> argparse.ArgumentParser:
    """Return what the command line takes."""
    found = argparse.ArgumentParser(
        "baffle device",
        description="Train with ONNX Runtime alone: ask a gateway for work, and answer it.",
    )
    add = found.add_argument
    add("--server", metavar="URL", required=True, help="the gateway, as https://host:port")
    add("--model", metavar="DIR", required=True, type=Path, help="as `baffle export` made it")
    add("--data", metavar="DIR", required=True, type=Path, help="input.npy, target.npy; test/")
    add("--state", metavar="DIR", required=True, type=Path, help="this device's own folder")
    add("--token", metavar="FILE", type=Path, help="a one-time token, to enrol with")
    add("--ca", metavar="FILE", type=Path, help="certificates to trust instead of the system's")
    add("--server-key", metavar="HEX", help="answer only asks under this public key")
    add("--client", metavar="N", type=int, help="the client number that the operator gave")
    add("--memory", metavar="MIB", type=float, default=0.0, help="keep to so much memory")
    add("--threads", metavar="N", type=int, default=1, help="of a pass")
    add("--provider", default=PROVIDER, help="ONNX Runtime's execution provider")
    add("--battery", metavar="%", type=int, default=0, help="work at this charge, or charging")
    add("--only-if", metavar="COMMAND", help="work while this command ends with 0")
    add("--demand", metavar="NAME=VALUE", action="append", default=[], help="as min-group=10")
    add("--insecure", action="store_true", help="allow plain HTTP to another machine")
    add("--until-done", action="store_true", help="end when the run does")
    add("--verbose", action="store_true")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    given = parser().parse_args(arguments)
    level = logging.DEBUG if given.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    try:
        return _work(given)
    except BaffleError as problem:
        sys.stderr.write(f"baffle: {problem}\n")
        return problem.exit_code


def _work(given: argparse.Namespace) -> int:
    stopped = _stop_signals()
    make_folder(given.state, mode=0o700)
    lock = FileLock(given.state / LOCK)
    if not lock.take():
        raise ConfigError(f"{given.state} is in use by another device's process")
    client = Device(given)
    link = _link(given, client.keep)
    key = given.server_key or link.server_key.hex()
    guard = Guard(client.fleet, link.node, pin_of_key(key, "--server-key"), client.store)
    loop = Loop(
        link,
        guard.handle,
        lambda: client.done,
        given.until_done,
        _conditions(given),
        sleep=time.sleep,
        stop=stopped,
    )
    over = loop.run()
    logger.info("%s; %s", "the run is over" if over else "stopped", kept(client.budget, peak_mib))
    return 0


class Device:
    """A fleet's client on an exported model and a folder of arrays.

    Args:
        given: the command line.

    Raises:
        ModelError, DataError, ConfigError: what does not fit, in words.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.budget = Budget(given.memory)
        self.keep = partial(Spool.of, folder=given.state) if given.memory > 0 else list
        secret = own_secret(given.state)
        place = Place(
            given.model, given.data, given.state, given.memory, given.threads, given.provider
        )
        self._exported = Exported(place, peak_mib())
        self.store = FolderStore(given.state, self._exported.on_disk)
        self.fleet = FleetClient(
            Identity(lambda genesis: secret, given.client),
            self._exported.backing,
            self.store,
            time.perf_counter,
            demands_of(_demands(given.demand)),
        )

    @property
    def points(self) -> int:
        """Of a pass, as the memory allows."""
        return self._exported.graph.points

    @property
    def done(self) -> bool:
        """Whether it holds the state after the last round."""
        return self.fleet.done


def _demands(texts: Sequence[str]) -> dict[str, bool | int | float | str]:
    found: dict[str, bool | int | float | str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--demand wants NAME=VALUE, got {text!r}")
        found[name] = _plain(value)
    return found


def _plain(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _conditions(given: argparse.Namespace) -> list[Condition]:
    found: list[Condition] = [Battery(given.battery)] if given.battery else []
    if given.only_if:
        found.append(Command(shlex.split(given.only_if)))
    return found


def _stop_signals() -> Callable[[], bool]:
    """Return whether somebody said stop; a second signal ends the process at once."""
    said: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        said.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return lambda: bool(said)


def _link(given: argparse.Namespace, keep: Keep) -> Caller:
    """Return the way to the gateway, enrolled.

    Raises:
        ConfigError: it needs a token and has none.
        Refused, LinkLost: the gateway does not let it in, or is away.
    """
    found = Caller(
        given.server, given.state / "gateway", ca=given.ca, insecure=given.insecure, keep=keep
    )
    if not found.enrolled:
        if given.token is None:
            raise ConfigError(
                f"{given.server} does not know this device yet: expected --token FILE with a token "
                "that `baffle gateway-token` made"
            )
        found.enrol(_text(given.token))
        logger.info("enrolled at %s as node %d", given.server, found.node)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path}: expected a token, got {problem}") from None
