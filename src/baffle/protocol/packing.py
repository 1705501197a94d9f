"""Small signed integers in `bits` bits each, one behind another, lowest bit first.

An integer v in -limit … limit travels as v + limit (as (v + 1)/2 for one bit, where v is ±1). The
code above 2·limit is never written and refused when read; unused bits of the last byte are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DecodeError

MAX_WIDTH = 64
SPREAD = 2**12  # integers whose bits are spread out at once, 64 bytes each; a multiple of 8


def packed_size(count: int, bits: int) -> int:
    """Return the bytes that `count` integers of `bits` bits take."""
    return -(-count * bits // 8)


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
    codes = (values.astype(np.uint64) + np.uint64(limit)).astype("<u8")  # modulo 2^64: width 64 too
    if bits == 1:
        codes >>= np.uint64(1)
    if bits == 16:
        return codes.astype("<u2").tobytes()
    planes = np.unpackbits(codes.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return np.packbits(planes[:, :bits].reshape(-1), bitorder="little").tobytes()


def unpack(data: bytes, count: int, bits: int) -> NDArray[np.int64]:
    """Return `count` integers; the caller has checked the length.

    Raises:
        DecodeError: an unused code or a set padding bit.
    """
    if bits == 16:
        codes = np.frombuffer(data, dtype="<u2").astype(np.uint64)
    else:
        codes = _codes(np.frombuffer(data, dtype=np.uint8), count, bits)
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


def _codes(data: NDArray[np.uint8], count: int, bits: int) -> NDArray[np.uint64]:
    codes = np.empty(count, dtype=np.uint64)
    for start in range(0, count, SPREAD):
        some = min(SPREAD, count - start)
        first = start * bits // 8
        planes = np.unpackbits(data[first : first + packed_size(some, bits)], bitorder="little")
        if planes[some * bits :].any():
            raise DecodeError("expected padding bits of 0 behind the last integer, got a 1")
        wide = np.zeros((some, 64), dtype=np.uint8)
        wide[:, :bits] = planes[: some * bits].reshape(some, bits)
        packed = np.packbits(wide, axis=1, bitorder="little")
        codes[start : start + some] = packed.view("<u8").reshape(some)
    return codes
