"""A client's keys, and what it says of itself in public.

Everything derives from 32 private bytes, so that a client that starts again is the same client:

    identity   Ed25519, signs the channel key
    channel    X25519, static: what neighbours send each other is enciphered under it
    mask       X25519, a new one for each label: common masks come from it. What is shared out is
               the field element s that it is made of, since that gives the key back
    self mask  field element b of one context, so that a mask that arrives late opens nothing
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from baffle.errors import DecodeError, Refused
from baffle.secagg.masks import SECRET_BYTES, derive
from baffle.secagg.shamir import PRIME

ADVERT, VERSION = 0xA0, 1
KEY_BYTES, SIGNATURE_BYTES, RUN_BYTES = 32, 64, 16
_ADVERT = struct.Struct("<BBII32s32s64s32s")
ADVERT_BYTES = _ADVERT.size
MAX_LABEL = 2**32 - 2


@dataclass(frozen=True)
class Advert:
    """What a client says of itself in public, 170 bytes.

    Args:
        number: of the client in the run.
        label: which of its mask keys this is.
        identity: Ed25519 public key, 32 bytes.
        channel: X25519 public key, 32 bytes.
        signature: by the identity over run, number and channel key, 64 bytes.
        mask: X25519 public key of the label, 32 bytes. Nothing signs it: the context, which both
            ends of a channel must have in common, binds it.
    """

    number: int
    label: int
    identity: bytes
    channel: bytes
    signature: bytes
    mask: bytes

    @property
    def leaf(self) -> bytes:
        """Hash that stands for this advert in a roster, 32 bytes."""
        return sha256(encode_advert(self)).digest()

    def require_usable(self) -> None:
        """Raise Refused ("key") unless secrets can be agreed on with both keys."""
        require_usable(self.channel, f"client {self.number}")
        require_usable(self.mask, f"client {self.number}")

    def verify(self, run: bytes, known: bytes | None = None) -> None:
        """Raise Refused unless the identity signed the channel key and is the known one.

        Args:
            run: 16 bytes.
            known: the identity key that this number is known by, None to take any.
        """
        if known is not None and known != self.identity:
            raise Refused(
                "identity",
                f"client {self.number}: expected the identity key {known.hex()[:16]}…, "
                f"got {self.identity.hex()[:16]}…",
            )
        if not _signed(run, self.number, self.identity, self.channel, self.signature):
            raise Refused(
                "signature", f"client {self.number}: its channel key is not signed by its identity"
            )


def encode_advert(advert: Advert) -> bytes:
    """Return an advert's one encoding, 170 bytes."""
    return _ADVERT.pack(
        ADVERT, VERSION, advert.number, advert.label, advert.identity, advert.channel,
        advert.signature, advert.mask,
    )  # fmt: skip


def decode_advert(data: bytes) -> Advert:
    """Return the advert that these bytes encode; it still has to be verified.

    Raises:
        DecodeError: another length, type or version, or a label past the last.
    """
    if len(data) != ADVERT_BYTES:
        raise DecodeError(f"advert: expected {ADVERT_BYTES} bytes, got {len(data)}")
    code, version, number, label, *keys = _ADVERT.unpack(data)
    if (code, version) != (ADVERT, VERSION):
        raise DecodeError(
            f"advert: expected type {ADVERT:#04x} and version {VERSION}, got {code:#04x}, {version}"
        )
    if label > MAX_LABEL:
        raise DecodeError(f"advert: expected a label up to {MAX_LABEL}, got {label}")
    return Advert(number, label, *keys)


def _binding(run: bytes, number: int, channel: bytes) -> bytes:
    return b"baffle secagg channel 1\n" + run + number.to_bytes(4, "little") + channel


@lru_cache(
    maxsize=4096
)  # static parts of adverts come round after round: 100 µs each the first time
def _signed(run: bytes, number: int, identity: bytes, channel: bytes, signature: bytes) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(identity)
        key.verify(signature, _binding(run, number, channel))
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Own:
    """A client's static keys in one run.

    Args:
        private: 32 bytes from the operating system, kept by the caller.
        run: 16 bytes.
        number: of the client.
    """

    private: bytes
    run: bytes
    number: int
    identity: bytes
    channel_key: X25519PrivateKey
    channel: bytes
    signature: bytes

    @staticmethod
    @lru_cache(maxsize=16)
    def of(private: bytes, run: bytes, number: int) -> Own:
        """Return the keys that 32 private bytes give in a run.

        Raises:
            DecodeError: private bytes or a run of another length.
        """
        if len(private) != SECRET_BYTES or len(run) != RUN_BYTES:
            raise DecodeError(
                f"keys: expected {SECRET_BYTES} private bytes and a run of {RUN_BYTES}, "
                f"got {len(private)} and {len(run)}"
            )
        signer = Ed25519PrivateKey.from_private_bytes(derive(private, "identity", run))
        channel_key = X25519PrivateKey.from_private_bytes(derive(private, "channel", run))
        channel = channel_key.public_key().public_bytes_raw()
        return Own(
            private, run, number, signer.public_key().public_bytes_raw(), channel_key, channel,
            signer.sign(_binding(run, number, channel)),
        )  # fmt: skip

    def mask_secret(self, label: int) -> int:
        """Return the field element that the mask key of a label is made of."""
        return field_element(self.private, "mask", self.run, self.name, label.to_bytes(4, "little"))

    @property
    def name(self) -> bytes:
        """Our number, which every secret of a sum is bound to.

        A server may greet one client as two. Had both the same secrets, one of them could vanish
        and the other stay, and it would be given both kinds of share of one mask.
        """
        return self.number.to_bytes(4, "little")

    def mask_public(self, label: int) -> bytes:
        """Return the public mask key of a label, 32 bytes."""
        return mask_key(self.mask_secret(label)).public_key().public_bytes_raw()

    def advert(self, label: int) -> Advert:
        """Return the advert that goes with a label."""
        return Advert(
            self.number, label, self.identity, self.channel, self.signature, self.mask_public(label)
        )


_THROWAWAY = X25519PrivateKey.from_private_bytes(bytes(range(32)))  # protects nothing


def field_element(private: bytes, purpose: str, *bound: bytes) -> int:
    """Return an element of the field, uniform but for 2^-250 (256 bits modulo 2^255 - 19)."""
    return int.from_bytes(derive(private, purpose, *bound), "little") % PRIME


@lru_cache(maxsize=64)
def mask_key(secret: int) -> X25519PrivateKey:
    """Return the X25519 key that a field element stands for."""
    raw = derive(secret.to_bytes(32, "little"), "mask key")
    return X25519PrivateKey.from_private_bytes(raw)


def require_usable(public: bytes, whose: str) -> None:
    """Raise Refused ("key") for a public key with which nobody can agree on a secret.

    The server looks at keys when they come: else it would be the neighbours who refuse.
    """
    agree(_THROWAWAY, public, whose)


def agree(own: X25519PrivateKey, other: bytes, whose: str) -> bytes:
    """Return the secret that a key pair has in common with a public key (RFC 7748).

    Raises:
        Refused: "key", a point of small order, which would make the secret no secret.
    """
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:
        raise Refused("key", f"{whose}: its public key is a point of small order") from None
