"""Which nodes are asked who they are, and when again."""

from __future__ import annotations

from collections.abc import Iterable


class Greetings:
    """When each node was greeted last.

    Args:
        pause: seconds after which one that did not answer is greeted anew.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._at: dict[int, float] = {}
        self._twice: set[int] = set()

    def due(self, nodes: Iterable[int], now: float) -> list[int]:
        """Return those of some nodes that are to be greeted now, and note that they are."""
        found = [n for n in nodes if n not in self._at or now - self._at[n] >= self._pause]
        self._at.update(dict.fromkeys(found, now))
        return found

    def once_more(self, node: int, now: float) -> bool:
        """Return whether a node that could not join is greeted again at once: it is, one time."""
        if node in self._twice:
            return False
        self._twice.add(node)
        self._at[node] = now
        return True

    def again(self, node: int) -> None:
        """Greet a node at the next look: its answer never came."""
        self._at.pop(node, None)

    def forget(self, node: int) -> None:
        """Forget a node that went away."""
        self._at.pop(node, None)
        self._twice.discard(node)
