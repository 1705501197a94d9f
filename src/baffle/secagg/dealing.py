"""What a client derives for one sum: its secrets' shares, and keys in common with a neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from baffle.secagg.keys import Own, agree, field_element
from baffle.secagg.masks import derive, stream
from baffle.secagg.shamir import PRIME, SHORT, deal
from baffle.secagg.wire import SHARE_BYTES, TOKEN_BYTES


def self_secret(own: Own, context: bytes) -> int:
    """Return b, the field element that this client's own mask in a context is made of."""
    return field_element(own.private, "self", own.name, context)


def self_key(secret: int, view: bytes) -> bytes:
    """Return the key of a client's own mask."""
    return derive(secret.to_bytes(SHARE_BYTES, "little"), "self mask", view)


def pair_key(common: bytes, view: bytes) -> bytes:
    """Return the key of a mask that two clients have in common, one adding what the other takes."""
    return derive(common, "pair mask", view)


def commitment(secret: int, context: bytes) -> bytes:
    """Return the hash by which the server knows the right b when it has put it together."""
    return sha256(
        b"baffle secagg commitment 1\n" + context + secret.to_bytes(SHARE_BYTES, "little")
    ).digest()


def share_out(own: Own, label: int, context: bytes, t: int, xs: Sequence[int]) -> list[bytes]:
    """Return for each neighbour our shares of b and s, 64 bytes.

    Args:
        own: our keys.
        label: whose mask secret s is shared.
        context: that this is for; polynomials are bound to it, so that asking again gives the same.
        t: how many shares give a secret back.
        xs: the neighbours' coordinates.
    """
    dealt = []
    secrets = (self_secret(own, context), own.mask_secret(label))
    for secret, purpose in zip(secrets, ("self shares", "mask shares"), strict=True):
        coins = stream(derive(own.private, purpose, own.name, context), SHARE_BYTES * (t - 1))
        dealt.append(deal(secret, _elements(coins, SHARE_BYTES, PRIME), xs, PRIME))
    return [
        a.to_bytes(SHARE_BYTES, "little") + b.to_bytes(SHARE_BYTES, "little")
        for a, b in zip(*dealt, strict=True)
    ]


def _elements(data: bytes, size: int, prime: int) -> list[int]:
    """Return field elements of uniform bytes: both primes are just below a power of two."""
    found = (int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size))
    return [element % prime for element in found]


def channel_keys(own: Own, other: bytes, whose: str, context: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (key of what the lower place sends, key of what the higher sends, key of tokens)."""
    common = agree(own.channel_key, other, whose)
    keys = derive(common, "channel", context, length=96)
    return keys[:32], keys[32:64], keys[64:]


def tokens(key: bytes, opening: bytes) -> tuple[bytes, bytes]:
    """Return (the lower place's token, the higher place's token) for one list of survivors.

    A token says: I answer for this list and no other. Both ends of a channel can make both, so a
    client can encipher under tokens that it has not been given yet.
    """
    both = derive(key, "token", opening)
    return both[:TOKEN_BYTES], both[TOKEN_BYTES:]


def opening_shares(
    own: Own, opening: bytes, t: int, xs: Sequence[int]
) -> tuple[bytes, list[bytes]]:
    """Return (key that our unmask answer is enciphered under, its shares, 16 bytes each)."""
    made = stream(derive(own.private, "opening", own.name, opening), TOKEN_BYTES * t)
    secret, *coefficients = _elements(made, TOKEN_BYTES, SHORT)
    shares = deal(secret, coefficients, xs, SHORT)
    return opening_key(secret, opening), [s.to_bytes(TOKEN_BYTES, "little") for s in shares]


def opening_key(secret: int, opening: bytes) -> bytes:
    """Return the key that an unmask answer is enciphered under."""
    return derive(secret.to_bytes(TOKEN_BYTES, "little"), "opening key", opening)


def mixed(a: bytes, b: bytes) -> bytes:
    """Return the exclusive or of 16 bytes."""
    word = int.from_bytes(a, "little") ^ int.from_bytes(b, "little")
    return word.to_bytes(TOKEN_BYTES, "little")
