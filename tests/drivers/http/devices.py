"""A gateway's state machine with a few devices, and requests as they sign them."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from baffle.drivers.http.devices import Issued
from baffle.drivers.http.enrolment import Enrolment, gateway_of, node_of
from baffle.drivers.http.signed import Request, Stamp, sign
from baffle.drivers.http.state import Bounds, Gateway

NAME = gateway_of(bytes(16), bytes(32))
EPOCH = b"epoch of a start"
HERE = "192.0.2.1"


class Signer:
    """A device's key and counter."""

    def __init__(self, number, gateway=NAME):
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.public = self.key.public_key().public_bytes_raw()
        self.gateway, self.counter = gateway, 0
        self.node = node_of(gateway, self.public)

    def signed(self, path="/v1/ask", body=b"", counter=None, epoch=EPOCH, node=None, key=None):
        """Return (stamp, request)."""
        self.counter = self.counter + 1 if counter is None else counter
        request = Request("POST", path, body)
        stamp = Stamp(self.node if node is None else node, self.counter, epoch)
        return sign(stamp, request, self.gateway, key or self.key), request


def gateway(signers=(), first=0, **bounds):
    """Return a gateway at which some devices are enrolled."""
    found = Gateway(NAME, EPOCH, [], first, Bounds(**bounds))
    for signer in signers:
        enrol(found, signer)
    return found


def enrol(found, signer, token=None, issued=Issued(), today=0.0):  # noqa: B008
    """Let a device in; returns whether it was new."""
    enrolment = Enrolment(token or signer.public[::-1], signer.public)
    fresh = found.admits(enrolment, issued, today)
    if fresh:
        found.add(enrolment)
    return fresh


def asks(found, signer, now=0.0, **named):
    """Take a device's request, and return its node."""
    stamp, request = signer.signed(**named)
    found.glance(stamp, HERE, now)
    return found.authenticate(stamp, request, HERE, now)
