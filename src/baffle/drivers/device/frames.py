"""Lists of byte strings through a pipe between a measuring process and the measured one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import IO

_COUNT, _SIZE = struct.Struct("<I"), struct.Struct("<Q")


def send(pipe: IO[bytes], parts: Sequence[bytes]) -> None:
    """Write a list."""
    pipe.write(_COUNT.pack(len(parts)))
    for part in parts:
        pipe.write(_SIZE.pack(len(part)))
        pipe.write(part)
    pipe.flush()


def receive(pipe: IO[bytes]) -> list[bytes] | None:
    """Return the next list, None where the other side has closed."""
    head = pipe.read(_COUNT.size)
    if len(head) < _COUNT.size:
        return None
    (count,) = _COUNT.unpack(head)
    found = []
    for _ in range(count):
        (size,) = _SIZE.unpack(pipe.read(_SIZE.size))
        found.append(pipe.read(size))
    return found
