"""How a group of clients is divided into passes."""

from __future__ import annotations

from collections.abc import Iterator


def passes(count: int, most: int) -> Iterator[slice]:
    """Yield the passes that `count` clients take: as many of `most` as there are, then halves.

    What is left goes by powers of two, so that a run meets few shapes, each of which is checked
    once.

    Args:
        count: clients.
        most: clients in one pass, at least 1.

    Example:
        >>> [part.stop - part.start for part in passes(23, most=8)]
        [8, 8, 4, 2, 1]
    """
    start = 0
    while start < count:
        left = count - start
        size = most if left >= most else 2 ** (left.bit_length() - 1)
        yield slice(start, start + size)
        start += size
