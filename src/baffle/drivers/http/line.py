"""One connection to a gateway: a request out, a response in, within seconds and bytes.

`http.client` bounds a wait for each piece, not for all of them, so that whoever answers with a byte
a minute would hold a device for hours. Here all of a response has one deadline.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from baffle.errors import ConfigError, DecodeError

CONNECT_SECONDS = 15.0
Clock = Callable[[], float]


@dataclass(frozen=True)
class Address:
    """Where a gateway is: of a URL with nothing behind its port."""

    host: str
    port: int
    tls: bool

    @staticmethod
    def of(url: str) -> Address:
        """Return the address of a URL.

        Raises:
            ConfigError: it has a path or more, or no host.
        """
        try:
            found = urlsplit(url)
            port = found.port
        except ValueError as problem:
            raise ConfigError(f"{url}: no URL: {problem}") from None
        bare = found.path in ("", "/") and not (found.query or found.fragment or found.username)
        if found.scheme not in ("http", "https") or not found.hostname or not bare:
            raise ConfigError(f"expected a URL as https://gateway.example.org:8443, got {url}")
        tls = found.scheme == "https"
        return Address(found.hostname, port or (443 if tls else 80), tls)


@dataclass(frozen=True)
class Response:
    """What came: status and length as they stand in its head, and a way to the body's bytes.

    Args:
        status: of HTTP.
        size: bytes of the body, no more than were allowed.
        read: returns so many of them.
    """

    status: int
    size: int
    read: Callable[[int], bytes]


class Line:
    """A connection that is opened when it is needed.

    Args:
        address: of the gateway.
        context: for TLS; None for plain HTTP.
        clock: seconds, monotonic.
    """

    def __init__(
        self, address: Address, context: ssl.SSLContext | None, clock: Clock = time.monotonic
    ) -> None:
        self._address, self._context, self._clock = address, context, clock
        self._connection: http.client.HTTPConnection | None = None

    @property
    def used(self) -> bool:
        """Whether it is open from an earlier request, so that its other end may have closed it."""
        return self._connection is not None

    def post(
        self, path: str, body: bytes, headers: dict[str, str], seconds: float, most: int
    ) -> Response:
        """Send a request and return its response, whose body is read next.

        Args:
            path, body, headers: of the request.
            seconds: until all of the response is here.
            most: bytes that its body may have.

        Raises:
            OSError, http.client.HTTPException: no response in time, or none that is HTTP.
            DecodeError: one without a length, or with a longer body.
        """
        connection = self._opened()
        ends = self._clock() + seconds
        connection.response_class = partial(_response, ends, self._clock)  # type: ignore[assignment]
        connection.sock.settimeout(seconds)
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        size = _size(response, most)
        return Response(response.status, size, response.read)

    def close(self) -> None:
        """Close it; the next request opens it anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> http.client.HTTPConnection:
        where = self._address
        if self._connection is None or self._connection.sock is None:
            self._connection = (
                http.client.HTTPSConnection(
                    where.host, where.port, timeout=CONNECT_SECONDS, context=self._context
                )
                if where.tls
                else http.client.HTTPConnection(where.host, where.port, timeout=CONNECT_SECONDS)
            )
            self._connection.connect()
        return self._connection


def _size(response: http.client.HTTPResponse, most: int) -> int:
    """Return the bytes of a response's body, which it has to say."""
    if response.status == 204:
        return 0
    said = response.headers.get_all("content-length") or []
    if response.chunked or len(said) != 1 or response.length is None:
        raise DecodeError("a response that does not say how long it is")
    if response.length > most:
        raise DecodeError(f"a response of {response.length} bytes, where {most} may come")
    return response.length


def _response(ends: float, clock: Clock, sock: Any, **named: Any) -> http.client.HTTPResponse:
    """Return a response that is read from a socket until a deadline."""
    return http.client.HTTPResponse(_Deadlined(sock, ends, clock), **named)  # type: ignore[arg-type]


class _Deadlined(io.RawIOBase):
    """A socket to read from until a deadline, as `http.client` wants one."""

    def __init__(self, sock: Any, ends: float, clock: Clock) -> None:
        self._sock, self._ends, self._clock = sock, ends, clock

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what is read from it; until that is closed, the socket is not."""
        self._held = self._sock.makefile(mode, buffering=0)
        return io.BufferedReader(self)

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            self._held.close()
        super().close()

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what comes next, within what is left of the time."""
        left = self._ends - self._clock()
        if left <= 0:
            raise TimeoutError("the response did not come in time")
        self._sock.settimeout(left)
        found: int = self._sock.recv_into(buffer)
        return found
