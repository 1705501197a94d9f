"""A gateway without sockets, files and clock: requests and asks in, what is to be done out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from baffle.drivers.http.devices import NEVER, REVOKED, Device, Devices, Issued
from baffle.drivers.http.enrolment import Enrolment
from baffle.drivers.http.limits import Buckets, Rate, Room
from baffle.drivers.http.mailbox import Sent, Taken
from baffle.drivers.http.refusals import No
from baffle.drivers.http.shared import Shared
from baffle.drivers.http.signed import Request, Stamp, verify

DEVICE, STRANGER = Rate(20.0, 60.0), Rate(1.0, 20.0)


@dataclass(frozen=True)
class Bounds:
    """How much a gateway holds and lets through.

    Args:
        presence: seconds after which a device that says nothing is away.
        device: requests of one device.
        stranger: requests of one address that come from nobody that is known.
        devices: that may enrol.
        addresses: of strangers that are remembered.
        answer: bytes of one answer.
        up: bytes of all bodies that are being read and answers that lie ready.
        down: bytes of all different parts of asks.
    """

    presence: float = 60.0
    device: Rate = DEVICE
    stranger: Rate = STRANGER
    devices: int = 100_000
    addresses: int = 10_000
    answer: int = 1 << 20
    up: int = 1 << 28
    down: int = 1 << 30


@dataclass(frozen=True)
class Came:
    """What came of an ask: an answer's bytes, or why there is none."""

    node: int
    data: bytes | None
    problem: str | None = None


class Gateway:
    """Who is there, what lies ready for whom, and what came.

    Args:
        name: 16 bytes.
        epoch: 16 random bytes, drawn anew by each process.
        known: (device's key, token's key) of those who enrolled before.
        first: number of the first ask, random, so that no two processes give the same.
        bounds: how much of everything.
    """

    def __init__(
        self,
        name: bytes,
        epoch: bytes,
        known: Iterable[tuple[bytes, bytes]],
        first: int,
        bounds: Bounds,
    ) -> None:
        self.name, self.epoch, self.bounds = name, epoch, bounds
        self.devices = Devices(name, known, bounds.devices)
        self.room, self._shared = Room(bounds.up), Shared(bounds.down)
        self._by_device = Buckets(bounds.device, bounds.devices)
        self._by_stranger = Buckets(bounds.stranger, bounds.addresses)
        self._number, self._inbox = first, list[Came]()
        self._done = False

    # --- who asks

    def glance(self, stamp: Stamp, address: str, now: float) -> None:
        """Look at a stamp before its body is read, which costs next to nothing.

        An address that was wrong too often waits, before any signature is verified for it.

        Raises:
            No: "busy", "device", "revoked", "epoch", "counter".
        """
        self.require_welcome(address, now)
        try:
            self.devices.require_fresh(stamp, self.epoch)
        except No as no:
            if no.reason in ("device", "revoked"):
                self.mistrust(address, now)
            raise

    def authenticate(self, stamp: Stamp, request: Request, address: str, now: float) -> int:
        """Return the node that a request is of; the same request is not taken again.

        Raises:
            No: as `glance`, "busy" for a device that asks too often; Refused: "signature".
        """
        device = self.devices.require_fresh(stamp, self.epoch)
        try:
            verify(stamp, request, self.name, device.public)
        except Exception:
            self.mistrust(address, now)
            raise
        device.counter, device.seen = stamp.counter, now
        if lacking := self._by_device.take(device.node, now):
            raise No("busy", "this device asks too often", seconds=round(lacking, 3))
        return device.node

    # --- who comes

    def require_welcome(self, address: str, now: float) -> None:
        """Raise No, "busy", for an address that was wrong too often lately."""
        if lacking := self._by_stranger.lacking(address, now):
            text = "too many requests from this address were of nobody that is known"
            raise No("busy", text, seconds=round(lacking, 3))

    def mistrust(self, address: str, now: float) -> None:
        """Take note that a request from an address was wrong, or did nothing."""
        self._by_stranger.take(address, now)

    def admits(self, enrolment: Enrolment, issued: Issued | None, today: float) -> bool:
        """Return whether an enrolment has to be noted down; see `Devices.admits`."""
        return self.devices.admits(enrolment, issued, today)

    def add(self, enrolment: Enrolment) -> int:
        """Take in an enrolment that is noted down; returns its node."""
        return self.devices.add(enrolment).node

    def revoke(self, node: int) -> bool:
        """Turn a device away; what was asked of it comes back as a problem.

        Returns:
            whether it was here until now.
        """
        device = self.devices.by_node.get(node)
        if device is None or device.revoked:
            return False
        device.revoked = True
        dropped = device.mailbox.clear()
        self._forget(dropped)
        if dropped:
            self._inbox.append(Came(node, None, REVOKED))
        return True

    # --- who is there

    def nodes(self, now: float) -> frozenset[int]:
        """Return the nodes of the devices that are there."""
        return frozenset(d.node for d in self.devices.by_node.values() if self._is_there(d, now))

    def _is_there(self, device: Device, now: float) -> bool:
        """Who waits for an ask is there, who works on one, and who spoke a moment ago."""
        if device.revoked:
            return False
        lately = now < device.seen + self.bounds.presence
        return lately or device.waiting > 0 or device.mailbox.busy(now)

    def waits(self, node: int, by: int) -> None:
        """Take note that a device's question waits (1), or does no more (-1)."""
        self.devices.by_node[node].waiting += by

    def spoke(self) -> dict[int, float]:
        """Return when devices last spoke to this process, by node."""
        return {d.node: d.seen for d in self.devices.by_node.values() if d.seen > NEVER}

    # --- asks down, answers up

    def put(self, node: int, parts: Sequence[bytes], until: float) -> bool:
        """Lay an ask ready for a device; returns whether it lies there, else `drain` says why."""
        device = self.devices.by_node.get(node)
        if device is None or device.revoked:
            why = "no device of this gateway is that node" if device is None else REVOKED
            self._inbox.append(Came(node, None, why))
            return False
        held = self._shared.take(parts)
        if held is None:
            text = f"the gateway holds {self._shared.held} bytes of asks and has no room for more"
            self._inbox.append(Came(node, None, text))
            return False
        self._number = (self._number + 1) % 2**64
        self._forget(device.mailbox.put(Sent(self._number, held, until)))
        return True

    def fetch(self, node: int, now: float) -> Sent | None:
        """Return the ask that lies ready for a device, or None.

        Raises:
            No: "done", once the run is over and all that lay ready is answered.
        """
        device = self.devices.of(node)
        found = device.mailbox.fetch(now)
        if found is None and self._done:
            device.told = True
            raise No("done", "the run is over")
        return found

    def answer(self, node: int, number: int, data: bytes, now: float) -> Taken:
        """Take a device's answer: once, and to an ask of its own.

        Bytes that are taken are in `room` already, and leave it when they are drained.

        Raises:
            No: "gone", for an ask that is over, was answered before this process, or was another's.
        """
        taken, sent = self.devices.of(node).mailbox.answer(number, now)
        if taken is Taken.GONE:
            raise No("gone", "an answer to an ask that is not open for this device: ask again")
        if sent is not None:
            self._forget([sent])
            self._inbox.append(Came(node, data))
        return taken

    def drain(self) -> list[Came]:
        """Return what came since the last call."""
        found, self._inbox = self._inbox, []
        self.room.give(sum(len(came.data) for came in found if came.data is not None))
        return found

    def sweep(self, now: float) -> None:
        """Give up asks that are over."""
        for device in self.devices.by_node.values():
            if device.mailbox.newest is not None or device.mailbox.open:
                self._forget(device.mailbox.expire(now))

    def finish(self) -> None:
        """Take the run as over: who asks again is told so."""
        self._done = True

    def untold(self, now: float) -> int:
        """Return how many devices are there and were not told yet that the run is over."""
        return sum(self._is_there(d, now) and not d.told for d in self.devices.by_node.values())

    def _forget(self, dropped: Iterable[Sent]) -> None:
        for sent in dropped:
            self._shared.give(sent.parts)

    @property
    def figures(self) -> dict[str, int]:
        """What is held, for whoever watches: nothing of what an ask or an answer says."""
        boxes = [d.mailbox for d in self.devices.by_node.values()]
        return {
            "enrolled": len(boxes),
            "revoked": sum(d.revoked for d in self.devices.by_node.values()),
            "waiting": sum(d.waiting > 0 for d in self.devices.by_node.values()),
            "asks_ready": sum(box.newest is not None for box in boxes),
            "asks_fetched": sum(len(box.open) for box in boxes),
            "bytes_down": self._shared.held,
            "bytes_up": self.room.held,
        }
