"""Take fields off the front of untrusted bytes: a length is checked before anything is copied."""

from __future__ import annotations

from baffle.errors import DecodeError


class Reader:
    """A cursor over a message.

    Args:
        what: the message's name, for errors.
        data: all of it.

    Example:
        >>> reader = Reader("ask", bytes([7, 0, 1]))
        >>> reader.number(2), reader.take(1), reader.end()
        (7, b'\\x01', None)
    """

    def __init__(self, what: str, data: bytes) -> None:
        self.what, self._data, self._at = what, data, 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            DecodeError: fewer are left.
        """
        left = len(self._data) - self._at
        if size > left:
            raise DecodeError(f"{self.what}: expected {size} more bytes, got {left}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """Return the next `size` bytes as an unsigned integer, the lowest byte first."""
        return int.from_bytes(self.take(size), "little")

    def sized(self, name: str, limit: int) -> bytes:
        """Return bytes behind their length in 4 bytes.

        Raises:
            DecodeError: the length passes `limit`, or fewer bytes are left.
        """
        size = self.number(4)
        self.need(size <= limit, f"{name} of at most {limit} bytes", size)
        return self.take(size)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)

    def need(self, condition: bool, expected: str, got: object) -> None:
        """Raise DecodeError unless the condition holds."""
        if not condition:
            raise DecodeError(f"{self.what}: expected {expected}, got {got}")

    def end(self) -> None:
        """Raise DecodeError unless all has been taken."""
        left = len(self._data) - self._at
        self.need(left == 0, "nothing after the last field", f"{left} bytes")


def u32(value: int) -> bytes:
    """Return a number as 4 little-endian bytes."""
    return value.to_bytes(4, "little")


def sized(data: bytes) -> bytes:
    """Return bytes behind their length in 4 bytes."""
    return u32(len(data)) + data
