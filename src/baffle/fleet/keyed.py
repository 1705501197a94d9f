"""A fleet's server that knows its clients' keys: each says them when it is greeted.

A key is good for one secure sum. The next one comes with the shares for it; where that was lost,
the client is greeted again.
"""

from __future__ import annotations

from collections.abc import Iterable

from baffle.errors import DecodeError, Refused
from baffle.fleet.asking import Outgoing
from baffle.fleet.coordinator import Coordinator
from baffle.fleet.members import Member
from baffle.protocol.exchange import Holds
from baffle.secagg import decode_advert


class KeyedCoordinator(Coordinator):
    """Greets those whose keys are not known. See `Coordinator` for its arguments."""

    def _is_strange(self, node: int) -> bool:
        member = self.members.of(node)
        if member is None:
            return True
        return member.advert is None and self._farewell is None and not self._shares(member.number)

    def _shares(self, number: int) -> bool:
        """Return whether a client's next keys come with its shares."""
        return False

    def _greeting(self, node: int) -> Outgoing:
        member = self.members.of(node)
        return self.asking.greeting(node, member.number if member else 0)

    def _greet(self, node: int, holds: Holds, now: float) -> list[Outgoing]:
        out = super()._greet(node, holds, now)
        member = self.members.of(node)
        if member is None or self._farewell is not None:
            return out
        told = holds.holding is not None and member.holding is None  # of a state that is not ours
        try:
            self._learn(member, holds)
        except (Refused, DecodeError):
            # Who did not know its number is told it once; who lies is asked again at leisure.
            if self._greetings.once_more(node, now):
                return [*out, self._greeting(node)]
            if not told:  # a message is counted once
                raise
        return out

    def _learn(self, member: Member, holds: Holds) -> None:
        """Take a client's keys for the next sum.

        Raises:
            Refused, DecodeError: there are none, or not its own.
        """
        if holds.advert is None:
            raise DecodeError(f"client {member.number}: expected its keys, got none")
        found, known = decode_advert(holds.advert), member.advert
        if found.number != member.number:
            raise Refused(
                "peer", f"client {member.number} came with the keys of client {found.number}"
            )
        try:
            found.verify(self.genesis.run)
            found.require_usable()
        except Refused as no:
            raise Refused("peer", str(no)) from None
        if known is None or known.identity != found.identity or known.label < found.label:
            member.advert = found

    def _ask_for_keys(self, numbers: Iterable[int]) -> None:
        """Forget clients' keys, and greet them at the next look."""
        for number in numbers:
            member = self.members.by_number[number]
            member.advert = None
            if member.node is not None:
                self._greetings.again(member.node)

    def _keys_once_more(self, member: Member, now: float) -> list[Outgoing]:
        """Greet a client that could not say its keys: of changed data it tells once only."""
        node = member.node
        lacking = member.advert is None and not self._shares(member.number)
        if not lacking or node not in self.online or not self._greetings.once_more(node, now):
            return []
        return [self._greeting(node)]
