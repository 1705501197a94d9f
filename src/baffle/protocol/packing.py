"""Small signed integers in `bits` bits each, one behind another, lowest bit first.

An integer v in -limit … limit travels as v + limit (as (v + 1)/2 for one bit, where v is ±1). The
code above 2·limit is never written and refused when read; unused bits of the last byte are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DecodeError
from baffle.packing import pack_codes, packed_size, unpack_codes

__all__ = ["MAX_WIDTH", "pack", "packed_size", "unpack", "width_for"]

MAX_WIDTH = 64


def width_for(values: NDArray[np.int64]) -> int:
    """Return the least width w, 2 to 64, such that no |value| passes 2^(w-1) - 1."""
    largest = max((abs(int(values.min())), abs(int(values.max()))), default=0) if len(values) else 0
    return max(2, largest.bit_length() + 1)


def _limit(bits: int) -> int:
    return 1 if bits == 1 else 2 ** (bits - 1) - 1


def pack(values: NDArray[np.int64], bits: int) -> bytes:
    """Return the packed integers.

    Raises:
        DecodeError: a value does not fit (the caller's own mistake; nothing is wrapped silently).
    """
    limit = _limit(bits)
    if len(values) and max(abs(int(values.min())), abs(int(values.max()))) > limit:
        raise DecodeError(
            f"expected integers within ±{limit} for {bits} bits, "
            f"got {values.min()} to {values.max()}"
        )
    codes = values.astype(np.uint64) + np.uint64(limit)  # modulo 2^64: width 64 too
    if bits == 1:
        codes >>= np.uint64(1)
    return pack_codes(codes, bits)


def unpack(data: bytes, count: int, bits: int) -> NDArray[np.int64]:
    """Return `count` integers; the caller has checked the length.

    Raises:
        DecodeError: an unused code or a set padding bit.
    """
    codes = unpack_codes(data, count, bits)
    values = codes.view(np.int64)
    if bits == 1:
        values *= 2
        values -= 1
        return values
    limit = _limit(bits)
    if count and int(codes.max()) > 2 * limit:
        raise DecodeError(
            f"expected codes up to {2 * limit} for {bits} bits, got {int(codes.max())}"
        )
    codes -= np.uint64(limit)
    return values
