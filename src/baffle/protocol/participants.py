"""Who took part, as the ledger keeps it: ascending client numbers as variable-length differences.

Each difference to the number before (the first number itself, later ones less 1) is written seven
bits a byte, lowest first, the top bit set on all but a number's last byte.
"""

from __future__ import annotations

from baffle.errors import DecodeError

MAX_CLIENT = 2**32 - 1


def encode_participants(numbers: tuple[int, ...]) -> bytes:
    """Return the one encoding of ascending, distinct client numbers.

    Example:
        >>> encode_participants((0, 1, 300)).hex()
        '0000aa02'
    """
    out, before = bytearray(), -1
    for number in numbers:
        rest, before = number - before - 1, number
        while rest > 0x7F:
            out.append(0x80 | rest & 0x7F)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def decode_participants(data: bytes) -> tuple[int, ...]:
    """Return the client numbers that these bytes encode.

    Raises:
        DecodeError: a number cut short, padded with a needless byte, or not below 2^32.
    """
    numbers: list[int] = []
    before, value, shift = -1, 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            if shift > 28:
                raise DecodeError("participants: expected differences of at most 5 bytes")
            continue
        if byte == 0 and shift > 7:
            raise DecodeError("participants: expected the shortest form of a number")
        before += value + 1
        if before > MAX_CLIENT:
            raise DecodeError(f"participants: expected numbers up to {MAX_CLIENT}, got {before}")
        numbers.append(before)
        value = shift = 0
    if shift:
        raise DecodeError("participants: the last number is cut short")
    return tuple(numbers)
