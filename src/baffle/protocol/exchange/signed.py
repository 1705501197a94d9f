"""An ask under the server's signature, so that nobody else can ask a client.

    64 bytes signature ‖ 32 bytes public key ‖ ask

Ed25519 (RFC 8032) over "baffle signed ask 1\\n" ‖ receiver, 8 bytes ‖ SHA-256 of the ask. The
receiver is the node's number: an ask that one client got is no ask to another, which would answer
whoever passed it on. Chunks of a snapshot are covered by their hash in the ask. A key that is not
known yet is only as good as the way it came: see `Pin`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from baffle.errors import DecodeError, Refused

SIGNATURE_BYTES, KEY_BYTES = 64, 32
ENVELOPE_BYTES = SIGNATURE_BYTES + KEY_BYTES
MAX_NODE = 2**64 - 1


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Return a private key's public key, 32 bytes."""
    return key.public_key().public_bytes_raw()


def sign_ask(ask: bytes, node: int, key: Ed25519PrivateKey) -> bytes:
    """Return an ask under a server's signature.

    Args:
        ask: as encoded.
        node: number of the node that it goes to.
        key: the server's.
    """
    return key.sign(_signed(ask, node)) + public_bytes(key) + ask


def open_ask(data: bytes, node: int) -> tuple[bytes, bytes]:
    """Return (ask, public key) of a signed ask to this node.

    Raises:
        DecodeError: too short for one.
        Refused: "forged", if the signature is not that key's over this ask to this node.
    """
    if len(data) < ENVELOPE_BYTES:
        raise DecodeError(f"signed ask: expected at least {ENVELOPE_BYTES} bytes, got {len(data)}")
    signature, key = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:ENVELOPE_BYTES]
    ask = data[ENVELOPE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _signed(ask, node))
    except (InvalidSignature, ValueError):
        raise Refused("forged", f"an ask to node {node} without its server's signature") from None
    return ask, key


def _signed(ask: bytes, node: int) -> bytes:
    receiver = node.to_bytes(8, "little")
    return b"baffle signed ask 1\n" + receiver + hashlib.sha256(ask).digest()


@dataclass(frozen=True)
class Pin:
    """Whose asks a client answers.

    Args:
        configured: the server's public key, 32 bytes, as the operator gave it; None to trust the
            first key of each run.
    """

    configured: bytes | None = None

    def require(self, key: bytes, known: bytes | None) -> None:
        """Raise Refused unless a key is the configured one, or that of the run so far.

        Args:
            key: that an ask came under.
            known: that the run's first ask came under, None for the first.
        """
        wanted = self.configured if self.configured is not None else known
        if wanted is not None and key != wanted:
            raise Refused(
                "forged",
                f"expected an ask under the key {wanted.hex()[:16]}…, got one under "
                f"{key.hex()[:16]}…",
            )
