"""An ASGI application that listens in a thread of its own, with what uvicorn leaves open closed."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from baffle.errors import ConfigError

HEAD_SECONDS, HEAD_BYTES = 15.0, 1 << 16
KEEP_SECONDS = 75  # an idle connection is kept, so that a device need not shake hands again
GRACE_SECONDS = 5
SPARE_FILES = 128
BACKLOG = 4096  # connections that wait to be taken: a whole fleet comes back at once
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tls:
    """A certificate chain and its private key, PEM files."""

    certificate: Path
    key: Path


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 takes one that is free.

    Raises:
        ConfigError: the address is none of this machine, or in use.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with _closed_on_error(socket.socket(family, kind, protocol)) as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(place)
            found.listen(BACKLOG)
    except OSError as problem:
        raise ConfigError(f"{host}, port {port}: cannot listen there: {problem}") from None
    return found


@contextmanager
def _closed_on_error(found: socket.socket) -> Iterator[socket.socket]:
    try:
        yield found
    except BaseException:
        found.close()
        raise


class Listener:
    """Serves an application until it is stopped.

    Args:
        app: what is served.
        place: where, a socket that listens; closed when it stops, or was never begun.
        tls: certificate and key, or None.
        connections: at once, at most.
        lost: told why, if it ends by itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        place: socket.socket,
        tls: Tls | None,
        connections: int,
        lost: Callable[[str], None],
    ) -> None:
        _make_room_for(connections)
        self._place, self._lost = place, lost
        config = uvicorn.Config(
            app,
            http=_bounded(AutoHTTPProtocol),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=connections,
            timeout_keep_alive=KEEP_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=BACKLOG,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
        try:
            with _closed_on_error(place):
                config.load()
        except OSError as problem:  # of ssl as well
            raise ConfigError(f"{tls}: no certificate with its key: {problem}") from None
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._place.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, let those in progress end, and close."""
        self._server.should_exit = True
        self._thread.join(GRACE_SECONDS + 10)
        self._place.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._place])
        except BaseException as problem:  # told to the thread that can end the process
            logger.exception("the gateway's listener ended")
            self._lost(f"its listener ended with {type(problem).__name__}")
            return
        if not self._server.should_exit:
            self._lost("its listener ended")


def _make_room_for(connections: int) -> None:
    """Let this process have as many open files as connections, as far as the system allows."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        logger.warning("%d open files are allowed, for %d connections", most, connections)


def _bounded(kind: Any) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with bounds on the time and the bytes that a request's head takes.

    uvicorn bounds neither: a caller that sends a byte a minute, or a header without end, would keep
    its connection and its memory.
    """

    class Bounded(kind):  # type: ignore[misc]
        """Closes a connection whose next request does not begin in time."""

        _late: asyncio.TimerHandle | None = None
        _head = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            self._head += len(data)
            super().data_received(data)
            if self._is_busy():
                self._head = 0
                self._unwatch()
            elif self._head > HEAD_BYTES:
                self.transport.abort()
            else:
                self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch()
            super().connection_lost(exc)

        def _is_busy(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _watch(self) -> None:
            if self._late is None:
                self._late = self.loop.call_later(HEAD_SECONDS, self._give_up)

        def _unwatch(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _give_up(self) -> None:
            self._late = None
            if not self._is_busy():
                self.transport.abort()

    return Bounded
