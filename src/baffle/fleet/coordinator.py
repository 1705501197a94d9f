"""A fleet's server without sockets and clock: events in, messages out.

    see ──▶ greetings      nodes that came or went
    open ──▶ asks          a cohort of those who are there
    receive ──▶ asks       an answer; a client that lacks something is sent it at once
    over                   why the round is over, or None
    close                  the round's outcome, to be stored
    commit                 it is stored
    farewell ──▶ asks      after the last round: everyone gets the final state

Whatever comes from the network is counted and either used or refused by name; nothing raises. What
time it is, the driver says.
"""

from __future__ import annotations

from baffle.cohort import draw_cohort
from baffle.errors import DecodeError, ProtocolError, Refused
from baffle.fleet.asking import Asking, Outgoing
from baffle.fleet.downlink import Downlink
from baffle.fleet.farewell import Farewell
from baffle.fleet.greetings import Greetings
from baffle.fleet.members import Member, Members
from baffle.fleet.pace import Pace
from baffle.fleet.round import OpenRound, mean_evaluation
from baffle.fleet.tally import Tally
from baffle.protocol import Closed, Genesis, Server
from baffle.protocol.codec import RUN_PREFIX, decode_report
from baffle.protocol.exchange import (
    Answer,
    Holding,
    Holds,
    Reported,
    Trouble,
    decode_answer,
)
from baffle.protocol.exchange.trouble import ASKED_AGAIN
from baffle.protocol.server import Stage


class Coordinator:
    """The server's side of a fleet.

    Args:
        genesis: of the run.
        server: its state machine, where the run stands.
        members: its roster.
        downlink: what clients lack.
        pace: how long to wait, and for how many.
        cohort: reports wanted a round, at most.
    """

    def __init__(
        self,
        genesis: Genesis,
        server: Server,
        members: Members,
        downlink: Downlink,
        pace: Pace,
        cohort: int,
    ) -> None:
        self.genesis, self.server, self.members = genesis, server, members
        self.downlink, self.pace, self.cohort = downlink, pace, cohort
        self.tally = Tally()
        self.asking = Asking(genesis, server, downlink, pace.bytes_per_second, self.tally)
        self.online: frozenset[int] = frozenset()
        self.round: OpenRound | None = None
        self._began: float | None = None
        self._greetings = Greetings(pace.greet_again)
        self._farewell: Farewell | None = None
        self._away: dict[int, float] = {}
        self._abandoned = 0
        self._rest_until = 0.0
        self._before: OpenRound | None = None

    # --- who is there

    def see(self, online: frozenset[int], now: float) -> list[Outgoing]:
        """Take note of the nodes that are connected; greet those that are not known yet."""
        self._began = now if self._began is None else self._began
        gone, came, self.online = self.online - online, online - self.online, online
        for node in sorted(gone):
            self._gone(node, now)
        for node in came:
            self._away.pop(node, None)
        self._give_up(now)
        back = [m for m in map(self.members.of, sorted(came)) if m is not None]
        again = [ask for member in back for ask in self._ask_again(member)]
        strangers = [node for node in sorted(online) if self.members.of(node) is None]
        return [*again, *map(self.asking.greeting, self._greetings.due(strangers, now))]

    def _gone(self, node: int, now: float) -> None:
        self._greetings.forget(node)
        member = self.members.of(node)
        if member is not None:
            self.tally.tell("left", client=member.number, node=node)
            self._away[node] = now

    def _give_up(self, now: float) -> None:
        """Wait no longer for reports of nodes that have been gone for a while."""
        for node in [n for n, since in self._away.items() if now - since >= self.pace.grace]:
            del self._away[node]
            member = self.members.of(node)
            if member is not None:
                self._silent(member, node)

    def _silent(self, member: Member, node: int) -> None:
        """Take note that a node will not report for a client any more."""
        if self.round and self.round.asked.get(member.number) == node:
            self.round.lost.setdefault(member.number, "went away")

    @property
    def present(self) -> list[Member]:
        """The clients that are there, by number."""
        return self.members.present(self.online)

    def ready(self, now: float) -> bool:
        """Return whether a round may be opened."""
        there = len(self.present)
        if now < self._rest_until or there < max(1, self.server.min_reports):
            return False
        if there >= self.members.clients:
            return True
        waited = self._began is not None and now - self._began >= self.pace.gather
        return waited and there >= self.pace.min_clients

    # --- a round

    def open(self, now: float) -> list[Outgoing]:
        """Open a round: draw a cohort among those who are there, and ask it."""
        present = self.present
        number = self.server.state.round
        size = self.pace.asked(self.cohort, len(present))
        drawn = draw_cohort(self.genesis.key, number, len(present), size)
        cohort = [present[i] for i in drawn.tolist()]
        self._plan = self.server.open_round(frozenset(m.number for m in cohort))
        asked = {m.number: m.node for m in cohort if m.node is not None}
        wanted = min(self.cohort, len(cohort))
        self.round = OpenRound(number, now, now + self.pace.deadline, wanted, asked)
        return [self._ask(member) for member in cohort]

    def _ask(self, member: Member, anew: bool = False) -> Outgoing:
        """Return the open round's ask; `anew` gives the whole state with it."""
        assert self.round is not None
        return self.asking.plan(member, self._plan, self.pace.evaluates(self.round.number), anew)

    def _ask_again(self, member: Member) -> list[Outgoing]:
        """Ask a client that came back, perhaps as another node, if its report is still wanted."""
        open_ = self.round
        if open_ is None or member.number not in open_.asked.keys() - open_.reported:
            return []
        assert member.node is not None
        open_.lost.pop(member.number, None)
        open_.asked[member.number] = member.node
        return [self._ask(member)]

    def remind(self, now: float) -> list[Outgoing]:
        """Ask those once more who have not answered for a while."""
        open_ = self.round
        if open_ is None or not self.pace.remind or now - open_.opened < self.pace.remind:
            return []
        silent = open_.awaited() - open_.reminded
        if not silent:
            return []
        there = [member for member in self.present if member.number in silent]
        open_.reminded.update(member.number for member in there)
        return [self._ask(member) for member in there]

    def over(self, now: float) -> str | None:
        """Return why the open round is over, or None."""
        return self.round.over(now) if self.round else None

    def close(self, now: float) -> Closed:
        """Close the round and return what must be stored before `commit`."""
        assert self.round is not None
        reason = self.round.over(now) or "stopped"
        closed = self.server.close_round()
        self._abandoned = self._abandoned + 1 if closed.outcome.abandoned else 0
        self._rest_until = now + self.pace.pause(self._abandoned)
        if closed.outcome.abandoned:
            why = self.round.why(self.server.min_reports, reason)
            self.tally.tell("abandoned", round=self.round.number, text=why)
        if reason == "deadline":
            self.round.missing = len(self.round.awaited())
            self.tally.faults["missing"] += self.round.missing
        return closed

    def commit(self) -> OpenRound:
        """Take the closed round as stored, and return what there is to say of it."""
        assert self.round is not None
        self.server.commit()
        self._before, self.round = self.round, None
        return self._before

    # --- what comes in

    def receive(self, node: int, data: bytes, now: float) -> list[Outgoing]:
        """Take an answer, whatever it is; returns what to send because of it."""
        self.tally.bytes_up += len(data)
        try:
            return self._received(node, decode_answer(data, self.genesis.run), now)
        except Refused as no:
            self.tally.fault(no.reason, str(no), node=node)
            return self._who_is(node, no.reason, now)
        except DecodeError as no:
            self.tally.fault("decode", str(no), node=node)
        return []

    def _received(self, node: int, answer: Answer, now: float) -> list[Outgoing]:
        member = self.members.of(node)
        match answer:
            case Holds():
                return self._greet(node, answer)
            case Trouble() if member is None:
                return self._cannot_join(node, answer, now)
            case _ if member is None:
                raise Refused("node", f"node {node} answered, and speaks for no client of this run")
            case Trouble():
                return self._trouble(member, answer)
            case Reported():  # the last kind that there is
                return self._reported(member, answer)

    def failed(self, node: int, problem: str) -> None:
        """Take note that the transport says a node could not answer."""
        self.tally.fault("transport", problem, node=node)
        member = self.members.of(node)
        if member is None:
            self._greetings.again(node)
        elif self.round and member.number in self.round.awaited():
            self.round.lost[member.number] = "failed"

    # --- who someone is

    def _who_is(self, node: int, reason: str, now: float) -> list[Outgoing]:
        """Ask a node anew who it is, where someone may have spoken in its name."""
        if reason not in ("seal", "identity") or node not in self.online:
            return []
        asked = self._greetings.once_more(node, now) or self._greetings.due([node], now)
        return [self.asking.greeting(node)] if asked else []

    def _cannot_join(self, node: int, trouble: Trouble, now: float) -> list[Outgoing]:
        """Take note of what keeps a node from joining, and ask once more at once.

        A client tells of changed data once, and then goes on with them.
        """
        self.tally.fault(trouble.reason, f"node {node}: {trouble.text}", node=node)
        again = node in self.online and self._greetings.once_more(node, now)
        return [self.asking.greeting(node)] if again else []

    def _greet(self, node: int, holds: Holds) -> list[Outgoing]:
        if node not in self.online:
            raise Refused("node", f"node {node} says what it holds, and is not connected")
        before = self.members.of(node)
        try:
            member = self.members.greet(node, holds, self.online)
        finally:
            if before is not None and before.node != node:  # it speaks for another, or for nobody
                self._silent(before, node)
        held = member.holding
        if held and not self.downlink.knows(held):
            member.holding = None
            text = f"client {member.number} holds a state of round {held.round} that is not ours"
            self.tally.fault("digest", text, node=node)
        if before is not member:
            self.tally.tell("joined", client=member.number, node=node, round=held and held.round)
        if self._farewell is not None:
            return self._farewell.hears(member, holds.evaluation)
        return self._ask_again(member) if before is not member else []

    # --- what someone reports

    def _reported(self, member: Member, answer: Reported) -> list[Outgoing]:
        if self.server.stage is not Stage.OPEN or self.round is None:
            raise Refused("round", f"client {member.number}: a report, and no round is open")
        try:
            self._require_seal(member, answer)
            report = self.server.receive(answer.report, member.number)
        except Refused as no:
            self.round.late += no.reason == "round"
            raise
        except ProtocolError as no:
            raise DecodeError(f"client {member.number}: {no}") from None
        self.round.reported.add(report.client)
        self.round.lost.pop(report.client, None)
        if answer.evaluation:
            self.round.evaluations.append(answer.evaluation)
        # Its report shows that it holds the state that the plan names.
        member.holding = Holding(self.server.state.round, self.server.digest)
        return []

    def _require_seal(self, member: Member, answer: Reported) -> None:
        """Refuse what is not this client's answer to this plan, byte for byte.

        A report of another round or in another's name has another seal as well: that is left to
        the server, which says so.
        """
        if answer.seal == answer.sealed(member.tag, self._plan).seal:
            return
        plan, report = self.server.plan, decode_report(answer.report, self.server.plan)
        if (report.run, report.client) != (plan.run[:RUN_PREFIX], member.number):
            return
        before = self._before
        if before and report.round == before.number and member.number in before.reported:
            raise Refused(
                "twice", f"client {member.number} reported to round {report.round} already"
            )
        if report.round == plan.round:
            raise Refused(
                "seal",
                f"client {member.number}: a report without the seal of its answer to this plan; "
                "it, or the plan, was changed on the way, or node and client do not go together",
            )

    def _trouble(self, member: Member, trouble: Trouble) -> list[Outgoing]:
        text = f"client {member.number}: {trouble.text}"
        self.tally.fault(trouble.reason, text, node=member.node)
        if trouble.reason != "forged":  # who refuses an ask has not looked at what it holds
            member.holding = trouble.holding
        if self._farewell is not None:
            return self._farewell.mend(member) if member.node in self.online else []
        open_ = self.round
        if open_ is None or member.number not in open_.awaited():
            return []
        if trouble.reason in ASKED_AGAIN and member.number not in open_.mended:
            open_.mended.add(member.number)
            return [self._ask(member, anew=self._is_lost(trouble))]
        open_.lost[member.number] = f"said {trouble.reason}"
        return []

    def _is_lost(self, trouble: Trouble) -> bool:
        """Return whether only a whole state helps: rounds do if a client is merely behind."""
        if trouble.reason == "forged":
            return False
        held = trouble.holding
        return trouble.reason != "behind" or not (held is None or self.downlink.knows(held))

    # --- the end

    def farewell(self) -> list[Outgoing]:
        """Send everyone who is there the end of the run; `left_to_go` says who has not taken it."""
        final = Holding(self.server.state.round, self.server.digest)
        self._farewell = Farewell(self.asking, final, self.pace.evaluate_every > 0)
        return self._farewell.to(self.present)

    def left_to_go(self) -> int:
        """Return how many of those who are there have not said that they hold the final state."""
        strangers = sum(self.members.of(node) is None for node in self.online)
        return strangers + (self._farewell.waiting(self.present) if self._farewell else 0)

    def final_evaluation(self) -> dict[str, float]:
        """Return what the final state comes to on the clients' held-out examples."""
        return mean_evaluation(self._farewell.evaluations) if self._farewell else {}

    def agreed(self) -> int:
        """Return how many clients are known to hold the server's state."""
        here = Holding(self.server.state.round, self.server.digest)
        return sum(m.holding == here for m in self.members.by_number.values())
