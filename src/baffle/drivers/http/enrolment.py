"""How a device becomes known to a gateway: a token once, keys from then on.

    token      base64url of gateway, 16 bytes ‖ secret, 16 random bytes; 43 characters
    enrolment  "BGE1" ‖ token's public key, 32 ‖ device's public key, 32
                   ‖ signature under the token's key, 64 ‖ signature under the device's key, 64
    enrolled   "BGW1" ‖ salt, 16 ‖ server's public key, 32 ‖ epoch, 16 ‖ server's signature, 64

Gateway and node are hashes, so that both sides make them alone:

    gateway    first 16 bytes of SHA-256("baffle gateway 1\\n" ‖ salt ‖ server's public key)
    node       first 8 bytes of SHA-256("baffle gateway node 1\\n" ‖ gateway ‖ device's public key),
               as a little-endian number without its highest bit

A token's secret is the seed of a key, and its keeper signs the device's key with it: the secret
itself never travels, and what the gateway keeps of it, the public key, enrols nobody. The token
names the gateway, and the gateway's name holds it to its server's key. So a device knows the key
that its asks come under from the token, whoever answers it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from baffle.drivers.http.signed import (
    EPOCH_BYTES,
    GATEWAY_BYTES,
    KEY_BYTES,
    MAX_NODE,
    SIGNATURE_BYTES,
)
from baffle.errors import DecodeError, Refused

SECRET_BYTES, SALT_BYTES = 16, 16
ENROLMENT, ENROLLED = b"BGE1", b"BGW1"
ENROLMENT_BYTES = 4 + 2 * KEY_BYTES + 2 * SIGNATURE_BYTES
ENROLLED_BYTES = 4 + SALT_BYTES + KEY_BYTES + EPOCH_BYTES + SIGNATURE_BYTES
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def gateway_of(salt: bytes, server: bytes) -> bytes:
    """Return a gateway's name, 16 bytes.

    Args:
        salt: its own, 16 random bytes.
        server: public key that its asks come under.
    """
    return hashlib.sha256(b"baffle gateway 1\n" + salt + server).digest()[:GATEWAY_BYTES]


def node_of(gateway: bytes, device: bytes) -> int:
    """Return the number of the node that a device is at a gateway, 1 to 2^63 - 1 but for chance.

    Args:
        gateway: its name.
        device: the device's public key.
    """
    found = hashlib.sha256(b"baffle gateway node 1\n" + gateway + device).digest()
    return int.from_bytes(found[:8], "little") & MAX_NODE


@dataclass(frozen=True)
class Token:
    """Lets one device in, once.

    Args:
        gateway: whose it is.
        secret: 16 random bytes.
    """

    gateway: bytes
    secret: bytes

    @property
    def text(self) -> str:
        """As a person copies it."""
        return base64.urlsafe_b64encode(self.gateway + self.secret).decode().rstrip("=")

    @property
    def key(self) -> Ed25519PrivateKey:
        """The key that its keeper signs with."""
        seed = hashlib.sha256(b"baffle gateway token 1\n" + self.secret).digest()
        return Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """What the gateway keeps of it."""
        return self.key.public_key().public_bytes_raw()

    @staticmethod
    def of(text: str) -> Token:
        """Return the token of a text.

        Raises:
            DecodeError: anything but the one text of a token.
        """
        problem = DecodeError("token: expected 43 letters and digits as `gateway-token` prints it")
        if not _TOKEN.fullmatch(text):
            raise problem
        try:
            data = base64.urlsafe_b64decode(text + "=")
        except binascii.Error:
            raise problem from None
        found = Token(data[:GATEWAY_BYTES], data[GATEWAY_BYTES:])
        if found.text != text:  # two bits of the last letter mean nothing
            raise problem
        return found


@dataclass(frozen=True)
class Enrolment:
    """What a device says to be let in: the token's public key, and its own."""

    token: bytes
    device: bytes


def encode_enrolment(token: Token, device: Ed25519PrivateKey) -> bytes:
    """Return the body that enrols a device.

    Args:
        token: that it was given.
        device: its identity key.
    """
    keys = token.public + device.public_key().public_bytes_raw()
    signed = _enrolling(token.gateway, keys)
    return ENROLMENT + keys + token.key.sign(signed) + device.sign(signed)


def decode_enrolment(body: bytes, gateway: bytes) -> Enrolment:
    """Return who wants to be let in.

    Raises:
        DecodeError: anything but the one encoding of an enrolment.
        Refused: "token" or "signature", whose signature is missing, over another gateway's name
            included.
    """
    if len(body) != ENROLMENT_BYTES or body[:4] != ENROLMENT:
        raise DecodeError(
            f"enrolment: expected {ENROLMENT_BYTES} bytes that begin with {ENROLMENT!r}, "
            f"got {len(body)}"
        )
    token, device, by_token, by_device = _cut(body[4:], KEY_BYTES, KEY_BYTES, SIGNATURE_BYTES)
    signed = _enrolling(gateway, token + device)
    require(token, by_token, signed, Refused("token", "an enrolment without its token's signature"))
    no = Refused("signature", "an enrolment without its device's signature")
    require(device, by_device, signed, no)
    return Enrolment(token, device)


def encode_enrolled(request: bytes, salt: bytes, epoch: bytes, server: Ed25519PrivateKey) -> bytes:
    """Return the answer to an enrolment.

    Args:
        request: body that it answers.
        salt: the gateway's.
        epoch: the gateway's, now.
        server: key that asks are signed with.
    """
    signature = server.sign(_enrolled(request, salt, epoch))
    return ENROLLED + salt + server.public_key().public_bytes_raw() + epoch + signature


def decode_enrolled(body: bytes, request: bytes, gateway: bytes) -> tuple[bytes, bytes]:
    """Return (public key that asks come under, the gateway's epoch).

    Args:
        body: the answer.
        request: what was sent.
        gateway: whom the token names.

    Raises:
        DecodeError: anything but the one encoding of an answer.
        Refused: "forged": another gateway than the token's, or not its answer to this enrolment.
    """
    if len(body) != ENROLLED_BYTES or body[:4] != ENROLLED:
        raise DecodeError(
            f"enrolled: expected {ENROLLED_BYTES} bytes that begin with {ENROLLED!r}, "
            f"got {len(body)}"
        )
    salt, server, epoch, signature = _cut(body[4:], SALT_BYTES, KEY_BYTES, EPOCH_BYTES)
    if gateway_of(salt, server) != gateway:
        raise Refused("forged", "another gateway answered than the one that the token is for")
    no = Refused("forged", "an answer to an enrolment without its server's signature")
    require(server, signature, _enrolled(request, salt, epoch), no)
    return server, epoch


def require(key: bytes, signature: bytes, signed: bytes, no: Refused) -> None:
    """Raise `no` unless a signature is that key's."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise no from None


def _enrolling(gateway: bytes, keys: bytes) -> bytes:
    return b"baffle gateway enrolment 1\n" + gateway + keys


def _enrolled(request: bytes, salt: bytes, epoch: bytes) -> bytes:
    return b"baffle gateway enrolled 1\n" + hashlib.sha256(request).digest() + salt + epoch


def _cut(data: bytes, *sizes: int) -> list[bytes]:
    """Return data cut at some sizes; the last piece is what is left."""
    found = []
    for size in sizes:
        found.append(data[:size])
        data = data[size:]
    return [*found, data]
