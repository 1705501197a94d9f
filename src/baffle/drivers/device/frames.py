"""Lists of byte strings through a pipe between a measuring process and the measured one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

_COUNT, _SIZE = struct.Struct("<I"), struct.Struct("<Q")


def send(pipe: IO[bytes], parts: Sequence[bytes]) -> None:
    """Write a list."""
    pipe.write(_COUNT.pack(len(parts)))
    for part in parts:
        pipe.write(_SIZE.pack(len(part)))
        pipe.write(part)
    pipe.flush()


def receive(
    pipe: IO[bytes], keep: Callable[[Iterable[bytes]], Sequence[bytes]] = list
) -> Sequence[bytes] | None:
    """Return the next list, None where the other side has closed.

    Args:
        pipe: from the other side.
        keep: makes a sequence of the parts, each of which is read when it asks for it.
    """
    head = pipe.read(_COUNT.size)
    if len(head) < _COUNT.size:
        return None
    return keep(_parts(pipe, _COUNT.unpack(head)[0]))


def _parts(pipe: IO[bytes], count: int) -> Iterator[bytes]:
    for _ in range(count):
        (size,) = _SIZE.unpack(pipe.read(_SIZE.size))
        yield pipe.read(size)
