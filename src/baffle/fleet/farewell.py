"""The end of a run: who has not yet said that it holds the final state."""

from __future__ import annotations

from collections.abc import Iterable

from baffle.fleet.asking import Asking, Outgoing
from baffle.fleet.members import Member
from baffle.protocol.exchange import Evaluation, Holding


class Farewell:
    """Gives everyone the final state.

    Args:
        asking: makes the messages.
        final: the state that the run ended with.
        evaluate: whether clients are to evaluate it on their held-out examples.
    """

    def __init__(self, asking: Asking, final: Holding, evaluate: bool) -> None:
        self._asking, self._final, self._evaluate = asking, final, evaluate
        self._found: dict[int, Evaluation] = {}
        self._waiting: set[int] = set()
        self._mended: set[int] = set()

    def to(self, members: Iterable[Member]) -> list[Outgoing]:
        """Return what brings some clients to the final state."""
        members = list(members)
        self._waiting |= {m.number for m in members}
        return [self._asking.state(m, evaluate=self._evaluate) for m in members]

    @property
    def evaluations(self) -> list[Evaluation]:
        """What clients found."""
        return list(self._found.values())

    def hears(self, member: Member, evaluation: Evaluation | None) -> list[Outgoing]:
        """Let a client go that says that it holds the final state; give it to one that does not."""
        if member.holding == self._final:
            self._waiting.discard(member.number)
            if evaluation is not None:
                self._found[member.number] = evaluation
            return []
        self._waiting.add(member.number)
        return self.mend(member, anew=False)

    def mend(self, member: Member, anew: bool = True) -> list[Outgoing]:
        """Return the final state for a client that could not take it, one time."""
        if member.number in self._mended:
            return []
        self._mended.add(member.number)
        return [self._asking.state(member, anew, self._evaluate)]

    def waiting(self, present: Iterable[Member]) -> int:
        """Return how many of those who are there have not said that they hold it."""
        return len(self._waiting & {m.number for m in present})
