"""Bodies of HTTP requests and responses, with one encoding each.

    parts   "BGP1" ‖ how many, u32 ‖ bytes of each, u32 ‖ the parts one after the other
    ask     parts: the ask's number in 8 bytes, the ask, a snapshot's chunks
    answer  parts: the number of the ask that it answers, the answer
    wait    milliseconds, u32

All numbers are little-endian. A body's length is known from its HTTP header, and the parts' lengths
stand before them: nothing is allocated that was not checked against it, and a part can be read
straight to where it stays.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from baffle.errors import DecodeError

MAGIC = b"BGP1"
HEAD_BYTES, LENGTH_BYTES, NUMBER_BYTES, WAIT_BYTES = 8, 4, 8, 4
MAX_PARTS = 2**16 + 2  # a number, an ask, and as many chunks as a snapshot may have
MAX_PART = 2**32 - 1
MAX_NUMBER = 2**64 - 1
MAX_WAIT = 60_000  # milliseconds that a device may ask a gateway to wait
ANSWER_AROUND = HEAD_BYTES + 2 * LENGTH_BYTES + NUMBER_BYTES

Read = Callable[[int], bytes]
Keep = Callable[[Iterable[bytes]], Sequence[bytes]]


def head_of(parts: Sequence[bytes]) -> bytes:
    """Return what stands before parts in a body.

    Raises:
        ValueError: too many parts, or one that is too long.
    """
    if not 1 <= len(parts) <= MAX_PARTS or any(len(part) > MAX_PART for part in parts):
        raise ValueError(f"expected 1 to {MAX_PARTS} parts of up to {MAX_PART} bytes")
    return MAGIC + b"".join(_u32(n) for n in (len(parts), *map(len, parts)))


def encode_parts(parts: Sequence[bytes]) -> bytes:
    """Return parts as one body.

    Example:
        >>> encode_parts([b"ab"]).hex(" ")
        '42 47 50 31 01 00 00 00 02 00 00 00 61 62'
    """
    return b"".join((head_of(parts), *parts))


def decode_parts(body: bytes) -> list[bytes]:
    """Return the parts of a body.

    Raises:
        DecodeError: anything but the one encoding of some parts.
    """
    return list(read_parts(io.BytesIO(body).read, len(body)))


def read_parts(read: Read, size: int, keep: Keep = list) -> Sequence[bytes]:
    """Return the parts of a body that is read as it comes.

    Args:
        read: returns so many bytes of it, or all that are left if they are fewer.
        size: bytes of the whole body.
        keep: makes a sequence of the parts, each of which is read when it asks for it.

    Raises:
        DecodeError: anything but the one encoding of some parts in so many bytes.
    """
    _need(size >= HEAD_BYTES, f"at least {HEAD_BYTES} bytes", size)
    head = _exactly(read, HEAD_BYTES)
    _need(head[:4] == MAGIC, f"{MAGIC!r} at its start", head[:4])
    count = int.from_bytes(head[4:], "little")
    _need(1 <= count <= MAX_PARTS, f"1 to {MAX_PARTS} parts", count)
    before = HEAD_BYTES + LENGTH_BYTES * count
    _need(before <= size, f"lengths of {count} parts", f"{size} bytes in all")
    lengths = list(_numbers(_exactly(read, LENGTH_BYTES * count)))
    whole = before + sum(lengths)
    _need(whole == size, f"{whole} bytes, as its lengths say", size)
    return keep(_exactly(read, length) for length in lengths)


def encode_ask(number: int, parts: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the parts of a body that gives a device an ask.

    Args:
        number: that the device repeats in its answer.
        parts: the signed ask, and behind it a snapshot's chunks.
    """
    return (_u64(number), *parts)


def decode_ask(parts: Sequence[bytes]) -> tuple[int, Sequence[bytes]]:
    """Return (number, the ask's own parts).

    Raises:
        DecodeError: there is no ask behind the number.
    """
    _need(len(parts) >= 2, "a number and an ask", f"{len(parts)} parts")
    return _number(parts[0]), parts[1:]


def encode_answer(number: int, answer: bytes) -> bytes:
    """Return the body of an answer to an ask of that number."""
    return encode_parts((_u64(number), answer))


def decode_answer(body: bytes) -> tuple[int, bytes]:
    """Return (the ask's number, the answer).

    Raises:
        DecodeError: anything but the one encoding of those two.
    """
    parts = decode_parts(body)
    _need(len(parts) == 2, "a number and an answer", f"{len(parts)} parts")
    return _number(parts[0]), parts[1]


def encode_wait(milliseconds: int) -> bytes:
    """Return the body of a device's question whether there is an ask for it.

    Args:
        milliseconds: for which the gateway may wait for one, 0 to `MAX_WAIT`.
    """
    return _u32(min(max(milliseconds, 0), MAX_WAIT))


def decode_wait(body: bytes) -> int:
    """Return for how many milliseconds a device waits.

    Raises:
        DecodeError: another length, or a longer time than `MAX_WAIT`.
    """
    _need(len(body) == WAIT_BYTES, f"{WAIT_BYTES} bytes", len(body))
    found = int.from_bytes(body, "little")
    _need(found <= MAX_WAIT, f"a wait of up to {MAX_WAIT} ms", found)
    return found


def _number(part: bytes) -> int:
    _need(len(part) == NUMBER_BYTES, f"an ask's number in {NUMBER_BYTES} bytes", len(part))
    return int.from_bytes(part, "little")


def _numbers(data: bytes) -> Iterator[int]:
    for at in range(0, len(data), LENGTH_BYTES):
        yield int.from_bytes(data[at : at + LENGTH_BYTES], "little")


def _exactly(read: Read, size: int) -> bytes:
    found = read(size)
    _need(len(found) == size, f"{size} more bytes", len(found))
    return found


def _need(condition: bool, expected: str, got: object) -> None:
    if not condition:
        raise DecodeError(f"body: expected {expected}, got {got}")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")
