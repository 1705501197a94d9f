"""A device's side of the gateway: let in once, then ask and answer. Small to import and to hold.

What may pass (no network, a gateway that starts again, too many requests) is tried again with
growing pauses; what will not is raised by name.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from baffle.drivers.http import wire
from baffle.drivers.http.enrolment import (
    ENROLLED_BYTES,
    Token,
    decode_enrolled,
    encode_enrolment,
)
from baffle.drivers.http.keys import Home, Keys
from baffle.drivers.http.line import Address, Line, Response
from baffle.drivers.http.refusals import MAX_REFUSAL, Refusal, decode_refusal
from baffle.drivers.http.signed import EPOCH_BYTES, Request, Stamp, sign
from baffle.drivers.http.trying import Again, Manners, Trying
from baffle.errors import ConfigError, DecodeError, Refused

ENROL, ASK, ANSWER = "/v1/enrol", "/v1/ask", "/v1/answer"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
Made = tuple[str, bytes, dict[str, str]]  # path, body and headers of a request
T = TypeVar("T")


class Caller:
    """Speaks to one gateway for one device. Not for several threads at once.

    Args:
        url: https://host:port.
        folder: the device's own; see `keys`.
        ca: file of the authority that the gateway's certificate is held to; None for the system's.
        insecure: allow plain HTTP to another machine.
        manners: how it waits.
        clock, sleep: seconds; others in tests.
        chance: 0 to 1, evenly, for pauses that are not the same on all devices.
        keep: makes a sequence of an ask's parts, one of which may be read at a time.

    Raises:
        ConfigError: a URL that is none, plain HTTP that leaves this machine, a bad file.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        ca: Path | None = None,
        insecure: bool = False,
        manners: Manners | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        keep: wire.Keep = list,
    ) -> None:
        address = Address.of(url)
        if not address.tls and not insecure and address.host not in LOOPBACK:
            raise ConfigError(
                f"{url} is plain HTTP to another machine: who can listen on the way reads every "
                "report; use https, or say that it is meant (insecure)"
            )
        self._keys = Keys(folder)
        self._trying = Trying(manners or Manners(), clock, sleep, chance)
        self._line = Line(address, _context(ca) if address.tls else None, clock)
        self._epoch, self._number = bytes(EPOCH_BYTES), 0
        self._asked, self._keep = False, keep

    @property
    def enrolled(self) -> bool:
        """Whether the device has been let in."""
        return self._keys.home is not None

    @property
    def node(self) -> int:
        """The number that asks to this device are signed for; Refused before it is let in."""
        return self._keys.node

    @property
    def server_key(self) -> bytes:
        """The public key that asks come under, as the token vouched for it."""
        return self._home.server

    @property
    def _home(self) -> Home:
        if self._keys.home is None:
            raise Refused("device", "this device is not enrolled: it needs a token first")
        return self._keys.home

    def enrol(self, token: str) -> None:
        """Use a token; once more with the same one does no harm.

        Raises:
            DecodeError: no token.
            Refused: "token", "forged" if another gateway answers than the token's, and others.
            LinkLost: the gateway could not be reached.
        """
        found = Token.of(token)
        body = encode_enrolment(found, self._keys.key)
        request: Made = ENROL, body, {}
        answer = self._trying.call(
            lambda: self._once(request, 0.0, ENROLLED_BYTES, _whole), self._line
        )
        server, self._epoch = decode_enrolled(answer or b"", body, found.gateway)
        self._keys.enrolled(Home(found.gateway, server))

    def ask(self, wait: float = 20.0) -> Sequence[bytes] | None:
        """Return an ask's parts, or None if there is none for the device.

        Args:
            wait: seconds for which the gateway may wait for one.

        Raises:
            Refused: "done" when the run is over; others for which trying again is no use.
            LinkLost: the gateway could not be reached.
        """
        body = wire.encode_wait(round(wait * 1000))

        def take(response: Response) -> Sequence[bytes]:
            return wire.read_parts(response.read, response.size, self._keep)

        parts = self._signed(ASK, body, wait, self._trying.manners.ask, take)
        if parts is None:
            return None
        self._number, found = wire.decode_ask(parts)
        self._asked = True
        return found

    def answer(self, data: bytes) -> bool:
        """Answer the last ask; returns whether the answer was still wanted.

        Raises:
            Refused, LinkLost: as `ask`.
        """
        if not self._asked:
            raise Refused("gone", "an answer, and nothing was asked")
        body = wire.encode_answer(self._number, data)
        try:
            self._signed(ANSWER, body, 0.0, MAX_REFUSAL, _whole)
        except Refused as no:
            if no.reason != "gone":
                raise
            return False
        finally:
            self._asked = False
        return True

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- requests

    def _signed(
        self, path: str, body: bytes, wait: float, most: int, take: Callable[[Response], T]
    ) -> T | None:
        """Return what a signed request comes to; each attempt has a number of its own."""
        home, node = self._home, self._keys.node

        def attempt() -> T | None:
            stamp = Stamp(node, self._keys.counter(), self._epoch)
            signed = sign(stamp, Request("POST", path, body), home.gateway, self._keys.key)
            request = path, body, {"Authorization": signed.header()}
            return self._once(request, wait, most, take)

        return self._trying.call(attempt, self._line)

    def _once(
        self, request: Made, wait: float, most: int, take: Callable[[Response], T]
    ) -> T | None:
        """Return what one attempt comes to: None where the gateway has nothing."""
        path, body, headers = request
        seconds = wait + self._trying.manners.response
        response = self._line.post(path, body, headers, seconds, max(most, MAX_REFUSAL))
        if response.status == 204:
            response.read(0)
            return None
        if response.status == 200:
            return take(response)
        self._refused(response)
        return None

    def _refused(self, response: Response) -> None:
        """Raise what a refusal means."""
        found = decode_refusal(response.status, _whole(response, MAX_REFUSAL))
        if response.size > MAX_REFUSAL:
            self._line.close()
        if not found.again:
            raise Refused(found.reason, f"the gateway refuses: {found.text} ({found.reason})")
        raise Again(found.text, found.seconds, self._mended(found))

    def _mended(self, refusal: Refusal) -> bool:
        """Return whether a request made anew may go well at once: under another epoch or number."""
        if refusal.reason == "epoch":
            before, self._epoch = self._epoch, _epoch(refusal.more)
            return before != self._epoch
        if refusal.reason == "counter":
            self._keys.beyond(_counter(refusal.more))
            return True
        return False


def _whole(response: Response, most: int | None = None) -> bytes:
    """Return a response's body, or its first bytes."""
    size = response.size if most is None else min(most, response.size)
    found = response.read(size)
    if len(found) != size:
        raise DecodeError(f"a response of {response.size} bytes ended after {len(found)}")
    return found


def _epoch(more: Mapping[str, Any]) -> bytes:
    try:
        found = bytes.fromhex(more["epoch"])
    except (KeyError, ValueError, TypeError):
        found = b""
    if len(found) != EPOCH_BYTES:
        raise DecodeError("a refusal for its epoch that does not say which it is")
    return found


def _counter(more: Mapping[str, Any]) -> int:
    found = more.get("counter")
    if type(found) is not int or found < 0:
        raise DecodeError("a refusal for its counter that does not say how far it has come")
    return found


def _context(ca: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the gateway's certificate and name.

    Raises:
        ConfigError: no authority in the file.
    """
    try:
        found = ssl.create_default_context(cafile=ca)
    except OSError as problem:
        raise ConfigError(f"{ca}: expected an authority's certificate, got {problem}") from None
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    return found
