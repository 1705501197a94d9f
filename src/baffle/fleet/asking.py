"""What a fleet's server sends: an ask, and before its plan whatever the receiver lacks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from baffle.fleet.downlink import UP_TO_DATE, CatchUp, Costs, Downlink
from baffle.fleet.members import Member
from baffle.fleet.sent import Sent
from baffle.fleet.tally import Tally
from baffle.protocol import Genesis, Server
from baffle.protocol.exchange import Ask, encode_ask


@dataclass(frozen=True)
class Outgoing:
    """A message to a node: the ask, and behind it a snapshot's chunks."""

    node: int
    parts: tuple[bytes, ...]


class Asking:
    """Makes messages, and counts their bytes.

    Args:
        genesis: of the run.
        server: where the run stands.
        downlink: what clients lack.
        bytes_per_second: of a client's way down.
        tally: what is counted.
    """

    def __init__(
        self,
        genesis: Genesis,
        server: Server,
        downlink: Downlink,
        bytes_per_second: float,
        tally: Tally,
    ) -> None:
        self._run, self._genesis = genesis.run, genesis.to_bytes()
        self._server, self._downlink, self._tally = server, downlink, tally
        self._bytes_per_second = bytes_per_second
        self.rebuild_seconds = 0.0

    def greeting(self, node: int, number: int = 0) -> Outgoing:
        """Return what asks a node who it is and what it holds.

        Args:
            node: whom.
            number: of the client that it speaks for, whose keys are bound to it; 0 if unknown.
        """
        return self._outgoing(node, Ask(self._run, number, genesis=self._genesis), UP_TO_DATE)

    def plan(
        self,
        member: Member,
        plan: bytes,
        evaluate: bool,
        anew: bool = False,
        group: int | None = None,
    ) -> Outgoing:
        """Return a round's ask.

        Args:
            member: the client.
            plan: as encoded.
            evaluate: whether it is to evaluate on its held-out examples.
            anew: give it the whole state, whatever it is known to hold.
            group: the client's, if the round has groups.
        """
        ask = Ask(self._run, member.number, plan=plan, evaluate=evaluate, group=group)
        return self._behind(member, ask, anew)

    def sums(self, member: Member, sent: Sent, anew: bool = False) -> Outgoing:
        """Return an ask with messages of secure sums; behind what its receiver lacks, with a plan.

        Args:
            member: the client.
            sent: the messages, and the plan beside them.
            anew: give it the whole state, whatever it is known to hold.
        """
        ask = Ask(
            self._run, member.number, plan=sent.plan, evaluate=sent.evaluate, sums=sent.messages
        )
        if sent.plan is not None:
            return self._behind(member, ask, anew)
        assert member.node is not None
        return self._outgoing(member.node, ask, UP_TO_DATE)

    def state(self, member: Member, anew: bool = False, evaluate: bool = False) -> Outgoing:
        """Return what brings a client to where the run stands, and asks for no report."""
        return self._behind(member, Ask(self._run, member.number, evaluate=evaluate), anew)

    def _behind(self, member: Member, ask: Ask, anew: bool) -> Outgoing:
        """Return an ask behind what its receiver lacks."""
        state, digest = self._server.state, self._server.digest
        if anew:
            lacking = self._downlink.whole(state, digest)
        else:
            costs = Costs(self._bytes_per_second, self.rebuild_seconds)
            lacking = self._downlink.catch_up(member, state, digest, costs)
        if lacking.snapshot is not None:
            self._tally.tell("snapshot", client=member.number, bytes=lacking.size)
            ask = dataclasses.replace(ask, genesis=self._genesis)
        assert member.node is not None  # only those who are there are sent anything
        return self._outgoing(member.node, ask, lacking)

    def _outgoing(self, node: int, ask: Ask, lacking: CatchUp) -> Outgoing:
        ask = dataclasses.replace(ask, snapshot=lacking.snapshot, tail=lacking.tail)
        parts = (encode_ask(ask), *lacking.chunks)
        self._tally.bytes_down += sum(map(len, parts))
        self._tally.catch_up += lacking.size
        return Outgoing(node, parts)
