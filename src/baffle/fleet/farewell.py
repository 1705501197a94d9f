"""The end of a run: who has not yet said that it holds the final state."""

from __future__ import annotations

from collections.abc import Iterable

from baffle.fleet.asking import Asking, Outgoing
from baffle.fleet.members import Member
from baffle.protocol.exchange import Holding


class Farewell:
    """Gives everyone the final state.

    Args:
        asking: makes the messages.
        final: the state that the run ended with.
    """

    def __init__(self, asking: Asking, final: Holding) -> None:
        self._asking, self._final = asking, final
        self._waiting: set[int] = set()
        self._mended: set[int] = set()

    def to(self, members: Iterable[Member]) -> list[Outgoing]:
        """Return what brings some clients to the final state."""
        members = list(members)
        self._waiting |= {m.number for m in members}
        return [self._asking.state(m) for m in members]

    def hears(self, member: Member) -> list[Outgoing]:
        """Let a client go that says that it holds the final state; give it to one that does not."""
        if member.holding == self._final:
            self._waiting.discard(member.number)
            return []
        self._waiting.add(member.number)
        return self.mend(member, anew=False)

    def mend(self, member: Member, anew: bool = True) -> list[Outgoing]:
        """Return the final state for a client that could not take it, one time."""
        if member.number in self._mended:
            return []
        self._mended.add(member.number)
        return [self._asking.state(member, anew)]

    def waiting(self, present: Iterable[Member]) -> int:
        """Return how many of those who are there have not said that they hold it."""
        return len(self._waiting & {m.number for m in present})
