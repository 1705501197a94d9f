"""A fleet's run served to devices over HTTP, from where its folder stands to its last round."""

from __future__ import annotations

import ipaddress
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from baffle.config import FleetSettings, Settings
from baffle.drivers.fleet.hosting import Hooks, Served, host, longest_answer
from baffle.drivers.fleet.run import FleetRun, MakeTask
from baffle.drivers.http.app import Edge, Patience, make_app
from baffle.drivers.http.board import Board
from baffle.drivers.http.listener import Listener, Tls, bound
from baffle.drivers.http.pauses import rare_pauses
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.state import Bounds
from baffle.drivers.http.transport import HttpTransport
from baffle.errors import ConfigError
from baffle.protocol.exchange.signed import public_bytes

FAREWELL_SECONDS = 5.0  # in which devices hear that the run is over
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a gateway listens.

    Args:
        host, port: port 0 takes one that is free.
        tls: certificate and key, or None for plain HTTP.
        insecure: plain HTTP is meant, whoever can listen.
        connections: at once, at most.
    """

    host: str = "127.0.0.1"
    port: int = 8443
    tls: Tls | None = None
    insecure: bool = False
    connections: int = 4096

    def require_safe(self) -> None:
        """Raise ConfigError for plain HTTP that leaves this machine, unless it is meant."""
        if self.tls is None and not self.insecure and not is_loopback(self.host):
            raise ConfigError(
                f"plain HTTP on {self.host}: who can listen on the way reads every report and can "
                "hold any of them back. Give a certificate and its key, let a proxy with TLS stand "
                "before a gateway on 127.0.0.1, or say that it is meant (insecure)"
            )


@dataclass(frozen=True)
class Watching:
    """What else a gateway's caller may set or be told.

    Args:
        hooks: of the run.
        listening: called with the port once it listens.
        bounds: how much of everything; an answer's bytes are set by the run.
        patience: how long it waits for devices.
    """

    hooks: Hooks = field(default_factory=Hooks)
    listening: Callable[[int], None] = lambda port: None
    bounds: Bounds = field(default_factory=Bounds)
    patience: Patience = field(default_factory=Patience)


def serve_http(
    settings: Settings,
    fleet: FleetSettings,
    make_task: MakeTask,
    folder: Path,
    place: Place,
    watching: Watching | None = None,
) -> Served:
    """Serve a run until it is done, or SIGINT or SIGTERM end it; the same call goes on with it.

    Args:
        settings: of the run, as asked for.
        fleet: how it is run.
        make_task: settings to the server's task.
        folder: run folder.
        place: where to listen.
        watching: who is told, and bounds.

    Raises:
        ConfigError: plain HTTP that leaves this machine, an address that is in use.
        BaffleError: as `host`.
    """
    place.require_safe()
    watching = watching or Watching()
    with _Stop() as stopped:
        given = watching.hooks
        hooks = replace(given, stop=lambda: stopped() or given.stop())
        return host(
            settings,
            fleet,
            make_task,
            folder,
            lambda run: _listening(run, place, watching),
            hooks,
        )


@contextmanager
def _listening(run: FleetRun, place: Place, watching: Watching) -> Iterator[HttpTransport]:
    """Listen for a run's devices, and tell them at its end."""
    bounds = replace(watching.bounds, answer=longest_answer(run.settings))
    roster = Roster(run.folder, public_bytes(run.key))
    transport = HttpTransport(roster, run.key, bounds)
    server, rows = run.coordinator.server, run.book.log.rows
    board = Board(server.run.hex(), run.settings.rounds, rows, lambda: transport.figures)
    edge = Edge(transport, board, watching.patience)
    listener = Listener(
        make_app(edge), bound(place.host, place.port), place.tls, place.connections, transport.lose
    )
    listener.start()
    logger.info("gateway %s listens on port %d", roster.about.name.hex(), listener.port)
    try:
        watching.listening(listener.port)
        with rare_pauses():
            yield transport
            if run.done:
                _tell_the_end(transport)
    finally:
        transport.stop()
        listener.stop()


def _tell_the_end(transport: HttpTransport) -> None:
    """Wait a little until the devices that are there have heard that the run is over."""
    transport.finish()
    ends = time.monotonic() + FAREWELL_SECONDS
    while transport.untold() and time.monotonic() < ends:
        time.sleep(0.05)


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from its own machine alone.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Stop:
    """Whether SIGINT or SIGTERM came; a second one ends the process at once.

    In another thread than the main one there are no signals to take, and it is never so.
    """

    def __init__(self) -> None:
        self._caught = False
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._caught

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._caught:
            raise KeyboardInterrupt
        self._caught = True
