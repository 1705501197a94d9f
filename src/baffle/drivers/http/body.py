"""Bodies of requests, read within bounds: how long they are is said before, and held to."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Receive

from baffle.drivers.http.refusals import No
from baffle.drivers.http.transport import HttpTransport

SMALL = 4096  # bytes of a body that is read to its end even where the request is refused
_DIGITS = re.compile(r"[0-9]{1,15}")


def declared(request: Request, most: int) -> int:
    """Return how many bytes a body has, as its header says.

    Args:
        request: with its headers.
        most: bytes that it may have.

    Raises:
        No: "length", if the header is missing, there twice or no number, and for bodies in chunks,
            which may be without end; "size".
    """
    said = request.headers.getlist("content-length")
    if "transfer-encoding" in request.headers or len(said) != 1 or not _DIGITS.fullmatch(said[0]):
        raise No("length", "expected a body whose length stands in Content-Length")
    size = int(said[0])
    if size > most:
        raise No("size", f"expected a body of at most {most} bytes, got {size}")
    return size


@dataclass
class Body:
    """A body that is on its way.

    Args:
        receive: of the ASGI server.
        size: bytes that were said.
        transport: whose room it takes.
        seconds: in which it must be here.
    """

    receive: Receive
    size: int
    transport: HttpTransport
    seconds: float
    whole: bool = False
    held: int = 0

    async def read(self) -> bytes:
        """Return all of it; the room that it takes is held until `release`.

        Raises:
            No: "full", "slow", or "length" if more or less came than was said.
        """
        if not self.transport.reserve(self.size):
            raise No("full", "the gateway has no room for a body now", seconds=1.0)
        self.held = self.size
        try:
            async with asyncio.timeout(self.seconds):
                return await self._read()
        except TimeoutError:
            raise No("slow", f"expected the body within {self.seconds:g} s") from None

    async def _read(self) -> bytes:
        found = bytearray()
        while not self.whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                break
            found += message.get("body", b"")
            self.whole = not message.get("more_body", False)
            if len(found) > self.size:
                break
        if len(found) != self.size:
            raise No("length", f"expected a body of {self.size} bytes, as was said")
        return bytes(found)

    async def leave(self) -> bool:
        """Read what little is left of a body that nobody wants; returns whether there is no more.

        Otherwise the connection must not be used again.
        """
        if not self.whole and not self.held and self.size <= SMALL:
            try:
                await self.read()
            except No:
                return False
        return self.whole

    def release(self, kept: int = 0) -> None:
        """Give its room back, but for what is kept of it."""
        self.transport.release(self.held - kept)
        self.held = 0
