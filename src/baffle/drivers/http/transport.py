"""A gateway as a fleet's network: the server's loop on one side, requests on the other."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http.devices import REVOKED
from baffle.drivers.http.enrolment import Enrolment, decode_enrolment, encode_enrolled, node_of
from baffle.drivers.http.mailbox import Sent, Taken
from baffle.drivers.http.refusals import No
from baffle.drivers.http.roster import Roster
from baffle.drivers.http.seen import FILE as SEEN
from baffle.drivers.http.seen import Seen
from baffle.drivers.http.signed import EPOCH_BYTES, Request, Stamp
from baffle.drivers.http.state import Bounds, Came, Gateway
from baffle.errors import LinkLost
from baffle.fleet import Outgoing

SWEEP_SECONDS = 5.0
Wake = Callable[[list[int]], None]
logger = logging.getLogger(__name__)


@dataclass
class HttpTransport:
    """Carries a run's asks to devices that come and fetch them.

    All of it may be called from any thread: each call holds one lock, for microseconds but where it
    carries a whole cohort's asks. Enrolments have a lock of their own, since they wait for a disk.

    Args:
        roster: the gateway's files.
        key: the server's, which its asks are signed with.
        bounds: how much of everything.
        clock: seconds, monotonic.
        today: seconds since 1970.
        wake: told of the nodes for which an ask lies ready, and of all that wait at the end.
    """

    roster: Roster
    key: Ed25519PrivateKey
    bounds: Bounds = field(default_factory=Bounds)
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], float] = time.time
    wake: Wake = lambda nodes: None

    def __post_init__(self) -> None:
        epoch, first = secrets.token_bytes(EPOCH_BYTES), secrets.randbits(62)
        name = self.roster.about.name
        self.gateway = Gateway(name, epoch, self.roster.known, first, self.bounds)
        self._lock, self._enrolling = threading.Lock(), threading.Lock()
        self._swept = self.clock()
        self._lost: str | None = None
        self._revoked: frozenset[bytes] = frozenset()
        self._seen = Seen(self.roster.folder / SEEN)
        self._turn_away()
        self.stopping = False

    # --- the server's side

    def nodes(self) -> frozenset[int]:
        """Return the nodes whose devices are there, once those that were revoked are not.

        Raises:
            LinkLost: nothing listens any more.
        """
        self._require_listening()
        self._turn_away()
        with self._lock:
            return self.gateway.nodes(self.clock())

    def carry(self, messages: Iterable[Outgoing], seconds: float, group: str) -> None:
        """Lay messages ready that are valid for some seconds."""
        until, ready = self.clock() + seconds, list[int]()
        with self._lock:
            for message in messages:
                if self.gateway.put(message.node, message.parts, until):
                    ready.append(message.node)
        self.wake(ready)

    def poll(self) -> Iterable[Came]:
        """Return what came since the last call, without waiting.

        Raises:
            LinkLost: nothing listens any more.
        """
        self._require_listening()
        now = self.clock()
        if self._seen.due(now):
            self._note_seen(now)
        with self._lock:
            if now - self._swept >= SWEEP_SECONDS:
                self._swept = now
                self.gateway.sweep(now)
            return self.gateway.drain()

    def _note_seen(self, now: float) -> None:
        with self._lock:
            lately = self.gateway.spoke()
        self._seen.note(lately, now, self.today())

    def finish(self) -> None:
        """Take the run as over: devices that ask are told."""
        with self._lock:
            self.gateway.finish()
            waiting = list(self.gateway.devices.by_node)
        self.wake(waiting)

    def untold(self) -> int:
        """Return how many devices are there that have not heard that the run is over."""
        with self._lock:
            return self.gateway.untold(self.clock())

    def stop(self) -> None:
        """Send everyone who waits away: the process is going to end."""
        self.stopping = True
        self.wake(list(self.gateway.devices.by_node))
        self._note_seen(self.clock())

    def lose(self, why: str) -> None:
        """Take note that nothing listens any more."""
        self._lost = why

    def _require_listening(self) -> None:
        if self._lost is not None:
            raise LinkLost(f"the gateway listens no more: {self._lost}")

    # --- who is turned away

    def _turn_away(self) -> None:
        """Turn those away that were revoked since the last look; who waits is told at once."""
        found = self.roster.revoked.all()
        for key in found - self._revoked:
            self._gone(node_of(self.roster.about.name, key))
        self._revoked = found

    def _gone(self, node: int) -> None:
        with self._lock:
            here = self.gateway.revoke(node)
        if here:
            logger.info("node %d is turned away", node)
            self.wake([node])

    def _require_allowed(self, node: int) -> None:
        """Look once more before a device gets an answer; what follows refuses it by name."""
        device = self.gateway.devices.by_node.get(node)
        if device and not device.revoked and self.roster.revoked.has(device.key):
            self._gone(node)

    # --- the devices' side

    def glance(self, stamp: Stamp, address: str) -> None:
        """Refuse a request that cannot be good, before its body is read."""
        if self.stopping:
            raise No("stopping", "this gateway is going to end: come again", seconds=1.0)
        self._require_allowed(stamp.node)
        with self._lock:
            self.gateway.glance(stamp, address, self.clock())

    def authenticate(self, stamp: Stamp, request: Request, address: str) -> int:
        """Return the node that a request is of; see `Gateway.authenticate`."""
        self._require_allowed(stamp.node)
        with self._lock:
            return self.gateway.authenticate(stamp, request, address, self.clock())

    def enrol(self, body: bytes, address: str) -> bytes:
        """Let a device in; what it is answered is noted down first.

        An enrolment that is none, or that was answered before, counts as a stranger's request.

        Raises:
            DecodeError, Refused: see `decode_enrolment` and `Devices.admits`.
            No: "full", the disk would not take it; "busy".
        """
        with self._lock:
            self.gateway.require_welcome(address, self.clock())
        fresh = False
        try:
            enrolment = decode_enrolment(body, self.roster.about.name)
            fresh = self._admitted(enrolment)
        finally:
            if not fresh:
                with self._lock:
                    self.gateway.mistrust(address, self.clock())
        return encode_enrolled(body, self.roster.about.salt, self.gateway.epoch, self.key)

    def _admitted(self, enrolment: Enrolment) -> bool:
        """Note an enrolment down, unless it is already; returns whether it was not."""
        if self.roster.revoked.has(enrolment.device):
            raise No("revoked", REVOKED)
        issued, today = self.roster.issued(enrolment.token), self.today()
        with self._enrolling:
            with self._lock:
                fresh = self.gateway.admits(enrolment, issued, today)
            if fresh:
                self._note_down(enrolment, today)
        return fresh

    def _note_down(self, enrolment: Enrolment, today: float) -> None:
        try:
            self.roster.append(enrolment, today)
        except OSError as problem:
            text = f"the roster could not be written: {problem.strerror}"
            raise No("full", text, seconds=10.0) from None
        with self._lock:
            self.gateway.add(enrolment)

    def fetch(self, node: int) -> Sent | None:
        """Return the ask that lies ready for a node; see `Gateway.fetch`."""
        self._require_allowed(node)
        with self._lock:
            return self.gateway.fetch(node, self.clock())

    def answer(self, node: int, number: int, data: bytes) -> Taken:
        """Take an answer; see `Gateway.answer`."""
        with self._lock:
            return self.gateway.answer(node, number, data, self.clock())

    def waits(self, node: int, by: int) -> None:
        """Take note that a device waits, or does no more."""
        with self._lock:
            self.gateway.waits(node, by)

    def reserve(self, size: int) -> bool:
        """Take room for a body; see `Room.take`."""
        with self._lock:
            return self.gateway.room.take(size)

    def release(self, size: int) -> None:
        """Give room back."""
        with self._lock:
            self.gateway.room.give(size)

    @property
    def figures(self) -> dict[str, int]:
        """What is held; see `Gateway.figures`."""
        with self._lock:
            there = len(self.gateway.nodes(self.clock()))
            return {"there": there, **self.gateway.figures}
