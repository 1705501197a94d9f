"""Unsigned integers in `bits` bits each, one behind another, lowest bit first.

Unused bits of the last byte are 0. What the codes mean (a shift, a modulus) is the caller's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DecodeError

SPREAD = 2**12  # integers whose bits are spread out at once, 64 bytes each; a multiple of 8


def packed_size(count: int, bits: int) -> int:
    """Return the bytes that `count` integers of `bits` bits take."""
    return -(-count * bits // 8)


def pack_codes(codes: NDArray[np.uint64], bits: int) -> bytes:
    """Return the packed codes.

    Args:
        codes: uint64 [count], each below 2^bits (the caller has seen to it).
        bits: 1 to 64.

    Example:
        >>> pack_codes(np.array([1, 2, 3], dtype=np.uint64), 4).hex()
        '2103'
    """
    codes = np.ascontiguousarray(codes, dtype="<u8")
    if bits == 16:
        return codes.astype("<u2").tobytes()
    planes = np.unpackbits(codes.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return np.packbits(planes[:, :bits].reshape(-1), bitorder="little").tobytes()


def unpack_codes(data: bytes, count: int, bits: int) -> NDArray[np.uint64]:
    """Return `count` codes of `bits` bits; the caller has checked the length.

    Raises:
        DecodeError: a padding bit is set.
    """
    if bits == 16:
        return np.frombuffer(data, dtype="<u2").astype(np.uint64)
    found = np.frombuffer(data, dtype=np.uint8)
    codes = np.empty(count, dtype=np.uint64)
    for start in range(0, count, SPREAD):
        some = min(SPREAD, count - start)
        first = start * bits // 8
        planes = np.unpackbits(found[first : first + packed_size(some, bits)], bitorder="little")
        if planes[some * bits :].any():
            raise DecodeError("expected padding bits of 0 behind the last integer, got a 1")
        wide = np.zeros((some, 64), dtype=np.uint8)
        wide[:, :bits] = planes[: some * bits].reshape(some, bits)
        packed = np.packbits(wide, axis=1, bitorder="little")
        codes[start : start + some] = packed.view("<u8").reshape(some)
    return codes
