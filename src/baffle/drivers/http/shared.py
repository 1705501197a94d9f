"""Parts of asks, each kept once however many devices it is for: above all, a snapshot's chunks."""

from __future__ import annotations

from collections.abc import Iterable


class Shared:
    """Counts who needs which bytes.

    Args:
        size: bytes of all different parts together that may be held.
    """

    def __init__(self, size: int) -> None:
        self.size, self.held = size, 0
        self._parts: dict[bytes, tuple[bytes, int]] = {}  # the one copy, and for how many it is

    def take(self, parts: Iterable[bytes]) -> tuple[bytes, ...] | None:
        """Return parts equal to these, held for one more; None if there is no room for them."""
        wanted = tuple(parts)
        fresh = {part for part in wanted if part not in self._parts}
        if self.held + sum(map(len, fresh)) > self.size:
            return None
        return tuple(map(self._one, wanted))

    def give(self, parts: Iterable[bytes]) -> None:
        """Give parts back."""
        for part in parts:
            copy, count = self._parts[part]
            if count > 1:
                self._parts[part] = copy, count - 1
            else:
                del self._parts[part]
                self.held -= len(part)

    def _one(self, part: bytes) -> bytes:
        copy, count = self._parts.get(part, (part, 0))
        self._parts[copy] = copy, count + 1
        self.held += 0 if count else len(part)
        return copy

    def __len__(self) -> int:
        return len(self._parts)
