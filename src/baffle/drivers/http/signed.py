"""A request under its device's signature, so that nobody else can fetch its asks or answer them.

    Authorization: Baffle <194 lowercase hexadecimal digits>
    version 1, 1 byte ‖ node, 8 ‖ counter, 8 ‖ epoch, 16 ‖ signature, 64

Ed25519 (RFC 8032) by the device's identity key over

    "baffle gateway request 1\\n" ‖ method ‖ "\\n" ‖ path ‖ "\\n"
        ‖ gateway, 16 bytes ‖ epoch, 16 ‖ node, 8 ‖ counter, 8 ‖ SHA-256 of the body, 32

A request is good once. Within an epoch, which is 16 random bytes that a gateway draws when it
starts, a device's counters increase strictly, and the gateway remembers the highest. Whatever was
signed in an epoch before is refused, so a restart needs no memory of what was seen: the device is
told the new epoch and signs anew.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from baffle.errors import DecodeError, Refused

SCHEME, VERSION = "Baffle", 1
DOMAIN = b"baffle gateway request 1\n"
GATEWAY_BYTES, EPOCH_BYTES, KEY_BYTES, SIGNATURE_BYTES = 16, 16, 32, 64
TOKEN_BYTES = 1 + 8 + 8 + EPOCH_BYTES + SIGNATURE_BYTES
MAX_NODE, MAX_COUNTER = 2**63 - 1, 2**64 - 1
_HEADER = re.compile(rf"{SCHEME} ([0-9a-f]{{{2 * TOKEN_BYTES}}})")


@dataclass(frozen=True)
class Request:
    """What is asked of a gateway.

    Args:
        method, path: of the request line.
        body: all of it.
    """

    method: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Stamp:
    """Who asks, and for the how manieth time.

    Args:
        node: the device's number.
        counter: higher than in any request of the device before, in this epoch.
        epoch: of the gateway.
        signature: over all of it and the request.
    """

    node: int
    counter: int
    epoch: bytes
    signature: bytes = bytes(SIGNATURE_BYTES)

    def header(self) -> str:
        """Return the value of the Authorization header."""
        fields = (bytes([VERSION]), _u64(self.node), _u64(self.counter), self.epoch, self.signature)
        return f"{SCHEME} {b''.join(fields).hex()}"

    @staticmethod
    def of(header: str) -> Stamp:
        """Return what a header says.

        Raises:
            DecodeError: anything but the one encoding of a stamp.
        """
        found = _HEADER.fullmatch(header)
        if found is None:
            raise DecodeError(f"authorization: expected {SCHEME} and {2 * TOKEN_BYTES} digits")
        data = bytes.fromhex(found[1])
        node, counter = (int.from_bytes(data[at : at + 8], "little") for at in (1, 9))
        if data[0] != VERSION or not 1 <= node <= MAX_NODE:
            raise DecodeError(
                f"authorization: expected version {VERSION} and a node from 1 to 2^63 - 1, "
                f"got {data[0]} and {node}"
            )
        return Stamp(node, counter, data[17:33], data[33:])


def sign(stamp: Stamp, request: Request, gateway: bytes, key: Ed25519PrivateKey) -> Stamp:
    """Return a stamp with its signature.

    Args:
        stamp: node, counter and epoch.
        request: that it goes with.
        gateway: whom it is for, 16 bytes.
        key: the device's.
    """
    signature = key.sign(_signed(stamp, request, gateway))
    return Stamp(stamp.node, stamp.counter, stamp.epoch, signature)


def verify(stamp: Stamp, request: Request, gateway: bytes, key: Ed25519PublicKey) -> None:
    """Raise Refused, "signature", unless a request came from the holder of a key.

    Args:
        stamp, request: as they came.
        gateway: this one, 16 bytes.
        key: that the node enrolled with.
    """
    try:
        key.verify(stamp.signature, _signed(stamp, request, gateway))
    except InvalidSignature:
        raise Refused(
            "signature", f"a request of node {stamp.node} without its device's signature"
        ) from None


def _signed(stamp: Stamp, request: Request, gateway: bytes) -> bytes:
    line = f"{request.method}\n{request.path}\n".encode("ascii")
    body = hashlib.sha256(request.body).digest()
    return b"".join(
        (DOMAIN, line, gateway, stamp.epoch, _u64(stamp.node), _u64(stamp.counter), body)
    )


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")
