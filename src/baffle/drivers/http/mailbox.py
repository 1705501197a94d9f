"""What lies ready for one device, and what it has fetched and not answered yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

MOST_OPEN = 4  # fetched asks of one device that are waited for at once
MOST_ANSWERED = 16  # of which it is remembered that they were answered


@dataclass(frozen=True)
class Sent:
    """An ask on its way.

    Args:
        number: that its answer names.
        parts: the ask and a snapshot's chunks.
        until: when nobody wants its answer any more, seconds.
    """

    number: int
    parts: tuple[bytes, ...]
    until: float


class Taken(Enum):
    """What became of an answer."""

    NEW = "taken"
    AGAIN = "taken before"
    GONE = "no longer wanted"


@dataclass
class Mailbox:
    """One device's.

    The newest ask takes the place of one that was not fetched. One that was can be fetched again
    until it is answered, over, or followed by a newer one: a response that was lost loses nothing.
    """

    newest: Sent | None = None
    open: dict[int, Sent] = field(default_factory=dict)
    answered: deque[int] = field(default_factory=lambda: deque(maxlen=MOST_ANSWERED))

    def put(self, sent: Sent) -> list[Sent]:
        """Lay an ask ready; returns those that are given up for it."""
        dropped = []
        if self.newest is not None and self.newest.number not in self.open:
            dropped.append(self.newest)
        self.newest = sent
        while len(self.open) >= MOST_OPEN:
            dropped.append(self.open.pop(next(iter(self.open))))
        return dropped

    def fetch(self, now: float) -> Sent | None:
        """Return the newest ask, if it is to be answered still; its answer is waited for now."""
        sent = self.newest
        if sent is None or sent.until <= now:
            return None
        self.open[sent.number] = sent
        return sent

    def answer(self, number: int, now: float) -> tuple[Taken, Sent | None]:
        """Take note of an answer; returns what becomes of it, and the ask that is now closed."""
        if number in self.answered:
            return Taken.AGAIN, None
        sent = self.open.get(number)
        if sent is None or sent.until <= now:
            return Taken.GONE, None
        self.answered.append(number)
        self._close(sent)
        return Taken.NEW, sent

    def expire(self, now: float) -> list[Sent]:
        """Give up what nobody wants to be answered any more; returns it."""
        over = {s.number: s for s in self._all() if s.until <= now}
        for sent in over.values():
            self._close(sent)
        return list(over.values())

    def clear(self) -> list[Sent]:
        """Give up everything; returns it."""
        dropped = {sent.number: sent for sent in self._all()}
        self.newest, self.open = None, {}
        return list(dropped.values())

    def busy(self, now: float) -> bool:
        """Return whether its device may be at work on an ask."""
        return any(sent.until > now for sent in self.open.values())

    def _all(self) -> list[Sent]:
        return [*self.open.values(), *([self.newest] if self.newest else [])]

    def _close(self, sent: Sent) -> None:
        self.open.pop(sent.number, None)
        if self.newest is sent:
            self.newest = None
