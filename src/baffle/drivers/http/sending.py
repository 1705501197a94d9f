"""Responses: headers that all have, refusals, and asks that are sent without being copied."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from baffle.drivers.http.refusals import encode_refusal, status_of
from baffle.drivers.http.wire import head_of
from baffle.errors import Refused

PIECE = 1 << 16
SECONDS = 30.0  # in which a piece must be on its way
# Nothing is loaded from anywhere, framed, sent as a form, or taken for another type than it is.
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
BYTES, JSON = "application/octet-stream", "application/json"
logger = logging.getLogger(__name__)


def body(data: bytes, media: str = BYTES) -> Response:
    """Return a response with a body."""
    return Response(data, 200, dict(HEADERS), media)


def nothing() -> Response:
    """Return the response that says that there is nothing."""
    return Response(None, 204, dict(HEADERS))


def refusal(problem: Refused, closing: bool = False) -> Response:
    """Return a refusal.

    Args:
        problem: which.
        closing: whether the connection must not be used again.
    """
    headers = {**HEADERS, **({"connection": "close"} if closing else {})}
    return Response(encode_refusal(problem), status_of(problem.reason), headers, JSON)


class Parts(Response):
    """Parts as one body: pieces of what lies in memory once, however many fetch it.

    A receiver that takes nothing for a while is given up.

    Args:
        parts: of the body.
        seconds: for each piece.
    """

    def __init__(self, parts: Sequence[bytes], seconds: float = SECONDS) -> None:
        self.parts = (head_of(parts), *parts)
        size = sum(map(len, self.parts))
        super().__init__(None, 200, {**HEADERS, "content-length": str(size)}, BYTES)
        self._size, self._seconds = size, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            async with asyncio.timeout(self._seconds):
                await send(start)
            for piece in self._pieces():
                async with asyncio.timeout(self._seconds):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            logger.info("a device that takes nothing for %g s is given up", self._seconds)

    def _pieces(self) -> Iterator[bytes]:
        if self._size <= PIECE:
            yield b"".join(self.parts)
            return
        for part in self.parts:
            yield from (part[at : at + PIECE] for at in range(0, len(part), PIECE))
