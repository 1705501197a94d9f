"""Keys to keys (HKDF-SHA256, RFC 5869) and keys to masks (ChaCha20, RFC 8439)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

SECRET_BYTES = 32
_NONCE = bytes(16)  # each key makes one keystream, so the nonce has nothing to tell apart
_SHA256 = SHA256()


def derive(secret: bytes, purpose: str, *bound: bytes, length: int = 32) -> bytes:
    """Return key bytes for one purpose, bound to what they may be used with.

    Args:
        secret: what only its owner (or a pair) knows.
        purpose: what the bytes are for.
        bound: run, context, label …; each goes in with its length, so that no two lists are alike.
        length: bytes wanted.
    """
    info = _name(purpose)
    for part in bound:
        info += len(part).to_bytes(2, "little") + part
    return HKDF(_SHA256, length, None, info).derive(secret)


@lru_cache(maxsize=64)
def _name(purpose: str) -> bytes:
    """Return how every info of a purpose begins."""
    parts = (b"baffle secagg 1", purpose.encode())
    return b"".join(len(part).to_bytes(2, "little") + part for part in parts)


def stream(key: bytes, length: int) -> bytes:
    """Return ChaCha20 keystream under a 256-bit key that is used for nothing else."""
    return Cipher(algorithms.ChaCha20(key, _NONCE), None).encryptor().update(bytes(length))


def keystream(key: bytes, count: int) -> NDArray[np.uint64]:
    """Return `count` words of 64 bits from a key.

    Sums of them wrap at 2^64. A lane of b bits is the low b bits of such a sum, since 2^b divides
    2^64: uniform, and the same whether it is reduced before or after the sum.
    """
    return np.frombuffer(stream(key, 8 * count), dtype="<u8")
