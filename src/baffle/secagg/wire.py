"""Messages to bytes and back: versioned, one encoding, lengths checked first. Little-endian.

    share ask      server → client   terms, n leaves, the neighbours' adverts
    share answer   client → server   next mask key, commitment, a sealed pair of shares a neighbour
    mask ask       server → client   who shared, the sealed pairs for this client
    mask answer    client → server   the masked vector
    complaint      client → server   instead of it: whose sealed pair does not open
    unmask ask     server → client   whose masked vectors came
    unmask answer  client → server   tokens, shares of the key to the rest, the rest enciphered

Every message but the first begins with 8 bytes of the hash that it belongs to, so that one from
another round is told apart before anything is computed. Keys are bound to the whole hash.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DecodeError, Refused
from baffle.secagg.keys import ADVERT_BYTES, VERSION
from baffle.secagg.spec import MAX_MEMBERS, SecureSpec, parameters

SHARE_ASK, SHARE_ANSWER, MASK_ASK, MASK_ANSWER, UNMASK_ASK, UNMASK_ANSWER = range(0xA1, 0xA7)
COMPLAINT = 0xA7
HASH_BYTES, TAG_BYTES, SEALED_BYTES, SHARE_BYTES = 32, 8, 80, 32
TOKEN_BYTES = 16
SEAL_BYTES = 16
NONCE = bytes(12)  # every key enciphers one message
_TERMS = struct.Struct("<16sIHH")
_COUNT = struct.Struct("<I")


@dataclass(frozen=True)
class Terms:
    """Which sum: run (16 bytes), round, group and how many groups the round has."""

    run: bytes
    round: int
    group: int = 0
    groups: int = 1

    def encode(self) -> bytes:
        """Return 24 bytes."""
        return _TERMS.pack(self.run, self.round, self.group, self.groups)


def head(code: int) -> bytes:
    """Return a message's first two bytes."""
    return bytes((code, VERSION))


def body(what: str, data: bytes, code: int, expected: int | None = None) -> bytes:
    """Return a message without its first two bytes.

    Raises:
        DecodeError: another type, version or length.
    """
    if expected is not None and len(data) != expected + 2:
        raise DecodeError(f"{what}: expected {expected + 2} bytes, got {len(data)}")
    if len(data) < 2 or data[0] != code:
        raise DecodeError(f"{what}: expected type byte {code:#04x}, got {data[:1].hex() or 'none'}")
    if data[1] != VERSION:
        raise DecodeError(f"{what}: expected version {VERSION}, got {data[1]}")
    return data[2:]


def tagged(what: str, data: bytes, code: int, whole: bytes, expected: int) -> bytes:
    """Return what stands behind a message's tag.

    Args:
        what: the message's name.
        data: the message.
        code: its type byte.
        whole: the hash that it must belong to.
        expected: bytes behind the tag.

    Raises:
        DecodeError: another type, version or length.
        Refused: "context", it belongs to another round, roster, plan or list.
    """
    if len(data) >= 2 + TAG_BYTES and data[0] == code and data[2 : 2 + TAG_BYTES] != whole[:8]:
        raise Refused(
            "context",
            f"{what}: it belongs to another round, roster, plan or list of clients "
            f"({data[2 : 2 + TAG_BYTES].hex()}, expected {whole[:8].hex()})",
        )
    return body(what, data, code, TAG_BYTES + expected)[TAG_BYTES:]


@dataclass(frozen=True)
class Roster:
    """Terms and the leaves of all members, in order: what a context is the hash of."""

    terms: Terms
    leaves: tuple[bytes, ...]

    @property
    def context(self) -> bytes:
        """Hash that every key and share of this sum is bound to, 32 bytes."""
        return sha256(b"baffle secagg context 1\n" + self._encode()).digest()

    @property
    def graph_seed(self) -> bytes:
        """Public randomness that the graph is drawn from, 32 bytes."""
        return sha256(b"baffle secagg graph 1\n" + self._encode()).digest()

    def _encode(self) -> bytes:
        return self.terms.encode() + _COUNT.pack(len(self.leaves)) + b"".join(self.leaves)


def encode_share_ask(roster: Roster, adverts: Sequence[bytes]) -> bytes:
    """Return a share ask.

    Args:
        roster: everyone's.
        adverts: the encoded adverts of the receiver's neighbours, by place.
    """
    return b"".join((head(SHARE_ASK), roster._encode(), *adverts))


def decode_share_ask(data: bytes, spec: SecureSpec) -> tuple[Roster, list[bytes]]:
    """Return (roster, encoded adverts of the neighbours).

    Raises:
        DecodeError: not the one encoding of a share ask.
        Refused: "group", a group smaller than the spec allows, or larger than any may be.
    """
    fixed = 2 + _TERMS.size + _COUNT.size
    if len(data) < fixed:
        raise DecodeError(f"share ask: expected at least {fixed} bytes, got {len(data)}")
    rest = body("share ask", data, SHARE_ASK)
    run, round_, group, groups = _TERMS.unpack_from(rest)
    (n,) = _COUNT.unpack_from(rest, _TERMS.size)
    if group >= groups:
        raise DecodeError(f"share ask: expected a group below {groups}, got {group}")
    if not spec.min_group <= n <= MAX_MEMBERS:
        raise Refused(
            "group",
            f"share ask: expected a group of {spec.min_group} to {MAX_MEMBERS} clients, got {n}",
        )
    if len(data) < fixed + n * HASH_BYTES:  # before k is computed, which takes a while for many
        raise DecodeError(
            f"share ask: expected at least {fixed + n * HASH_BYTES} bytes for {n} members, got "
            f"{len(data)}"
        )
    k = parameters(n, spec).neighbours
    at, size = fixed + n * HASH_BYTES, fixed + n * HASH_BYTES + k * ADVERT_BYTES
    if len(data) != size:
        raise DecodeError(f"share ask: expected {size} bytes for {n} members, got {len(data)}")
    leaves = tuple(data[i : i + HASH_BYTES] for i in range(fixed, at, HASH_BYTES))
    adverts = [data[i : i + ADVERT_BYTES] for i in range(at, size, ADVERT_BYTES)]
    return Roster(Terms(run, round_, group, groups), leaves), adverts


def encode_complaint(context: bytes, place: int) -> bytes:
    """Return a complaint: what the client at a place sealed for us in this context is no seal."""
    return head(COMPLAINT) + context[:TAG_BYTES] + _COUNT.pack(place)


def decode_complaint(data: bytes, context: bytes) -> int:
    """Return the place that a complaint is about; it may be any number of 32 bits.

    Raises:
        DecodeError, Refused: as `tagged`.
    """
    (place,) = _COUNT.unpack(tagged("complaint", data, COMPLAINT, context, _COUNT.size))
    return int(place)


def encode_bitmap(chosen: NDArray[np.bool_]) -> bytes:
    """Return one bit a member, lowest first."""
    return np.packbits(chosen, bitorder="little").tobytes()


def decode_bitmap(what: str, data: bytes, members: int) -> NDArray[np.bool_]:
    """Return bool [members].

    Raises:
        DecodeError: a bit behind the last member.
    """
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    if bits[members:].any():
        raise DecodeError(f"{what}: expected padding bits of 0 behind the last member, got a 1")
    return bits[:members].astype(bool)


def bitmap_size(members: int) -> int:
    """Return the bytes of a bitmap."""
    return -(-members // 8)


def view_of(context: bytes, sharers: bytes, plan: bytes, lanes: bytes) -> bytes:
    """Return the hash that masks are bound to: context, sharers, plan and the lanes' form."""
    parts = (b"baffle secagg view 1\n", context, sharers, sha256(plan).digest(), lanes)
    return sha256(b"".join(parts)).digest()


def opening_of(view: bytes, survivors: bytes) -> bytes:
    """Return the hash that shares are opened under: view and whose vectors are summed."""
    return sha256(b"baffle secagg opening 1\n" + view + survivors).digest()


def pieces(data: bytes, size: int) -> list[bytes]:
    """Return bytes cut into pieces of one size."""
    return [data[i : i + size] for i in range(0, len(data), size)]
