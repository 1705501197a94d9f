"""Lists of bytes over a connection: a header with every length, then the parts as they are.

    header = magic "BWF1" | kind, 1 byte | number of parts, 4 bytes | 8 bytes a length

All numbers are little-endian. The header says how long each part is before it comes, so nothing is
allocated that was not checked against a limit, and large parts are not copied into one message.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from baffle.errors import DecodeError

MAGIC = b"BWF1"
MAX_PARTS = 1 << 16
_HEAD = struct.Struct("<4sBI")
MAX_HEADER = _HEAD.size + 8 * MAX_PARTS


class Kind(IntEnum):
    """What a frame is: a request, its answer, an error, or "this worker runs something else"."""

    ASK = 1
    ANSWER = 2
    ERROR = 3
    OTHER = 4


class Line(Protocol):
    """What callers and workers need of a connection of `multiprocessing`: bytes, never objects."""

    def send_bytes(self, buf: bytes, /) -> None:
        """Send one message."""

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Receive one message of at most `maxlength` bytes."""

    def poll(self, timeout: float | None = 0.0, /) -> bool:
        """Whether there is something to receive, or the end, within `timeout` seconds."""

    def close(self) -> None:
        """Let the other side see the end."""


def encode_header(kind: Kind, lengths: Sequence[int], limit: int) -> bytes:
    """Write a header.

    Args:
        kind: what the frame is.
        lengths: bytes of each part, at most `MAX_PARTS` of them.
        limit: the most bytes of all parts together.

    Returns:
        The header's one encoding.

    Raises:
        DecodeError: the receiver would refuse it.

    Example:
        >>> decode_header(encode_header(Kind.ANSWER, [3, 0], limit=3), limit=3)
        (<Kind.ANSWER: 2>, (3, 0))
    """
    _check(lengths, limit)
    return _HEAD.pack(MAGIC, kind, len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths)


def decode_header(data: bytes, limit: int) -> tuple[Kind, tuple[int, ...]]:
    """Read a header; raises DecodeError for bytes that `encode_header` would not write."""
    if len(data) < _HEAD.size or data[:4] != MAGIC:
        raise DecodeError("a frame between caller and worker begins with BWF1; this one does not")
    _, code, count = _HEAD.unpack_from(data)
    if code not in Kind.__members__.values():
        raise DecodeError(f"a frame between caller and worker has a kind of 1 to 4, got {code}")
    if count > MAX_PARTS or len(data) != _HEAD.size + 8 * count:
        raise DecodeError(f"a frame's header of {count} parts has {len(data)} bytes")
    lengths = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    _check(lengths, limit)
    return Kind(code), lengths


def send(line: Line, kind: Kind, parts: Sequence[bytes], limit: int) -> None:
    """Send one frame; raises DecodeError before anything is sent if it is over `limit`."""
    line.send_bytes(encode_header(kind, [len(part) for part in parts], limit))
    for part in parts:
        line.send_bytes(part)


def receive(line: Line, limit: int) -> tuple[Kind, list[bytes]]:
    """Receive one frame.

    Args:
        line: the connection.
        limit: the most bytes of all parts together.

    Returns:
        (kind, parts).

    Raises:
        DecodeError: not one encoding of a frame, or over the limit.
        EOFError, OSError: the other side has gone, or a message longer than announced.
    """
    kind, lengths = decode_header(line.recv_bytes(MAX_HEADER), limit)
    return kind, [_part(line, length) for length in lengths]


def _part(line: Line, length: int) -> bytes:
    part = line.recv_bytes(length)
    if len(part) != length:
        raise DecodeError(f"a part was announced with {length} bytes and came with {len(part)}")
    return part


def _check(lengths: Sequence[int], limit: int) -> None:
    if len(lengths) > MAX_PARTS:
        raise DecodeError(f"a frame has at most {MAX_PARTS} parts, got {len(lengths)}")
    if sum(lengths) > limit:
        raise DecodeError(f"a frame has at most {limit} bytes, got {sum(lengths)}")
