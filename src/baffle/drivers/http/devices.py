"""Who may speak to a gateway: devices by node, tokens and what became of them, counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from baffle.drivers.http.enrolment import Enrolment, node_of
from baffle.drivers.http.mailbox import Mailbox
from baffle.drivers.http.refusals import No
from baffle.drivers.http.signed import Stamp

NEVER = float("-inf")
REVOKED = "this device was turned away by whoever runs the gateway"


@dataclass(frozen=True)
class Issued:
    """A token that was given out.

    Args:
        until: when it ends, in seconds since 1970; None if it does not.
    """

    until: float | None = None


@dataclass
class Device:
    """A device that is known.

    Args:
        node: its number.
        key: its identity, 32 bytes.
        public: the same, to verify with.
        counter: highest of its requests in this epoch.
        seen: when it last spoke, seconds.
        waiting: how many of its questions wait for an ask.
        told: whether it was told that the run is over.
        revoked: whether its operator turned it away.
    """

    node: int
    key: bytes
    public: Ed25519PublicKey
    counter: int = 0
    seen: float = NEVER
    waiting: int = 0
    told: bool = False
    revoked: bool = False
    mailbox: Mailbox = field(default_factory=Mailbox)


class Devices:
    """The roster of a gateway.

    Args:
        gateway: its name.
        known: (device's key, token's key) of those who enrolled before.
        most: devices that are let in.
    """

    def __init__(self, gateway: bytes, known: Iterable[tuple[bytes, bytes]], most: int) -> None:
        self._gateway, self._most = gateway, most
        self.by_node: dict[int, Device] = {}
        self._used: dict[bytes, bytes] = {}
        for device, token in known:
            self.add(Enrolment(token, device))

    def of(self, node: int) -> Device:
        """Return a device.

        Raises:
            No: "device", nobody enrolled it; "revoked".
        """
        found = self.by_node.get(node)
        if found is None:
            raise No("device", f"node {node} is not enrolled here: it needs a token")
        if found.revoked:
            raise No("revoked", REVOKED)
        return found

    def admits(self, enrolment: Enrolment, issued: Issued | None, today: float) -> bool:
        """Return whether an enrolment has to be noted down; one that came before has not.

        Args:
            enrolment: with its signatures checked.
            issued: its token; None if there is none of that name.
            today: seconds since 1970.

        Raises:
            No: "token", if it is unknown, over, or used by another device; "full".
        """
        owner = self._used.get(enrolment.token)
        if owner == enrolment.device:
            return False
        if owner is not None:
            raise No("token", "this token has let in another device: one token is for one device")
        if issued is None:
            raise No("token", "this token is not known here")
        if issued.until is not None and issued.until <= today:
            raise No("token", "this token is over: ask for a new one")
        self._require_room(enrolment.device)
        return True

    def _require_room(self, key: bytes) -> None:
        node = node_of(self._gateway, key)
        other = self.by_node.get(node)
        if not node or (other is not None and other.key != key):
            raise No(
                "token", f"node {node} is taken: delete the device's key, and it makes another"
            )
        if other is None and len(self.by_node) >= self._most:
            raise No("full", f"{self._most} devices are enrolled, which are all that may be")

    def add(self, enrolment: Enrolment) -> Device:
        """Take in an enrolment that is noted down."""
        node = node_of(self._gateway, enrolment.device)
        self._used[enrolment.token] = enrolment.device
        if node not in self.by_node:
            public = Ed25519PublicKey.from_public_bytes(enrolment.device)
            self.by_node[node] = Device(node, enrolment.device, public)
        return self.by_node[node]

    def require_fresh(self, stamp: Stamp, epoch: bytes) -> Device:
        """Return the device of a stamp that could be good; its signature is not looked at.

        Raises:
            No: "device", "revoked", "epoch", or "counter" for a request that came before.
        """
        device = self.of(stamp.node)
        if stamp.epoch != epoch:
            raise No("epoch", "signed before this gateway started", epoch=epoch.hex())
        if stamp.counter <= device.counter:
            text = f"expected a counter above {device.counter}, got {stamp.counter}"
            raise No("counter", text, counter=device.counter)
        return device
