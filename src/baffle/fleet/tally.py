"""What happened in a round, counted by name, and what people should be told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something to tell people: a name, and fields for a log's line."""

    name: str
    fields: dict[str, Any]


@dataclass
class Tally:
    """Counts since the run's server started, and events not yet told.

    Args:
        faults: by reason; what a client or the network did wrong.
        bytes_up, bytes_down: payload received and sent.
        catch_up: bytes of rounds and states among those sent.
        events: not yet told.
    """

    faults: Counter[str] = field(default_factory=Counter)
    bytes_up: int = 0
    bytes_down: int = 0
    catch_up: int = 0
    events: list[Event] = field(default_factory=list)

    def tell(self, name: str, **fields: Any) -> None:
        """Note an event."""
        self.events.append(Event(name, fields))

    def fault(self, reason: str, text: str, **fields: Any) -> None:
        """Count a fault and note it."""
        self.faults[reason] += 1
        self.tell("fault", reason=reason, text=printable(text), **fields)

    def drain(self) -> list[Event]:
        """Return the events and forget them."""
        events, self.events = self.events, []
        return events


def printable(text: str, limit: int = 400) -> str:
    """Return a text that cannot move a terminal's cursor or forge a log's line.

    Example:
        >>> printable("a\\x1b[2Jb\\nc")
        'a?[2Jb?c'
    """
    return "".join(c if c.isprintable() else "?" for c in text[:limit])
