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

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from baffle.cohort import Groups, deal, draw_cohort
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
    Masked,
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
        groups_of: clients of a round to how many groups they are dealt; None for one, unnamed.
        eligible: (client number, rounds) to whether it may be in so many more.
        rounds: of the run; None if it has no end that is known.
        draw: whom a round asks, a row of `baffle.cohort.COHORTS`.
    """

    def __init__(
        self,
        genesis: Genesis,
        server: Server,
        members: Members,
        downlink: Downlink,
        pace: Pace,
        cohort: int,
        groups_of: Callable[[int], int] | None = None,
        eligible: Callable[[int, int], bool] = lambda number, rounds: True,
        rounds: int | None = None,
        draw: Callable[[int, int, int, int], NDArray[np.int64]] = draw_cohort,
    ) -> None:
        self.genesis, self.server, self.members = genesis, server, members
        self.groups_of, self.eligible, self.rounds = groups_of, eligible, rounds
        self.draw = draw
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
        self._groups: Groups | None = None

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
        strangers = [node for node in sorted(online) if self._is_strange(node)]
        return [*again, *map(self._greeting, self._greetings.due(strangers, now))]

    def _is_strange(self, node: int) -> bool:
        """Return whether a node is to be asked who it is."""
        return self.members.of(node) is None

    def _greeting(self, node: int) -> Outgoing:
        return self.asking.greeting(node)

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
        return now >= self._rest_until and self._enough(len(self._usable(1)), now)

    def _enough(self, there: int, now: float) -> bool:
        """Return whether a round may be opened with so many clients."""
        if there < self._least():
            return False
        if there >= self.members.clients:
            return True
        waited = self._began is not None and now - self._began >= self.pace.gather
        return waited and there >= self.pace.min_clients

    def _usable(self, rounds: int) -> list[Member]:
        """Return the clients that may be asked, if they may be in so many more rounds."""
        return [m for m in self.present if self.eligible(m.number, rounds)]

    def spent(self) -> bool:
        """Return whether too few of the roster's clients are eligible for one more round."""
        needed = max(self._least(), self.pace.min_clients)
        left = sum(1 for number in range(self.members.clients) if self.eligible(number, 1))
        return left < needed

    def _least(self) -> int:
        """Return how many clients a round needs."""
        return max(1, self.server.min_reports)

    # --- a round

    def open(self, now: float) -> list[Outgoing]:
        """Open a round: draw a cohort among those who are there, and ask it."""
        number = self.server.state.round
        cohort = self._drawn(number, self._usable(1))
        numbers = [m.number for m in cohort]
        self._groups = self._dealt(number, numbers)
        self._plan = self.server.open_round(frozenset(numbers), self._groups)
        asked = {m.number: m.node for m in cohort if m.node is not None}
        wanted = min(self.cohort, len(cohort))
        self.round = OpenRound(number, now, now + self.pace.deadline, wanted, asked)
        return [self._ask(member) for member in cohort]

    def _drawn(self, round: int, there: list[Member]) -> list[Member]:
        """Return a round's cohort among some clients."""
        size = self.pace.asked(self.cohort, len(there))
        drawn = self.draw(self.genesis.key, round, len(there), size)
        return [there[i] for i in drawn.tolist()]

    def _dealt(self, round: int, cohort: list[int]) -> Groups | None:
        """Return who is in which group, None where there are no groups."""
        if self.groups_of is None:
            return None
        return deal(self.genesis.key, round, cohort, self.groups_of(len(cohort)))

    def _ask(self, member: Member, anew: bool = False) -> Outgoing:
        """Return the open round's ask; `anew` gives the whole state with it."""
        assert self.round is not None
        evaluate = self.pace.evaluates(self.round.number)
        group = self._groups.of(member.number) if self._groups else None
        return self.asking.plan(member, self._plan, evaluate, anew, group)

    def _ask_again(self, member: Member) -> list[Outgoing]:
        """Ask a client that came back, perhaps as another node, if its report is still wanted."""
        open_ = self.round
        if open_ is None or member.number not in open_.asked.keys() - open_.reported:
            return []
        assert member.node is not None
        open_.lost.pop(member.number, None)
        open_.asked[member.number] = member.node
        return [self._ask(member)]

    def due(self, now: float) -> list[Outgoing]:
        """Return what is to be sent because of the time that has passed."""
        return self.remind(now)

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
        reason = self.over(now) or "stopped"
        self._collect()
        closed = self.server.close_round()
        self._abandoned = self._abandoned + 1 if closed.outcome.abandoned else 0
        self._rest_until = now + self.pace.pause(self._abandoned)
        if closed.outcome.abandoned:
            why = self.round.why(self.server.min_reports, reason)
            self.tally.tell("abandoned", round=self.round.number, text=why)
        if reason == "deadline":
            self.round.missing = self._missing()
            self.tally.faults["missing"] += self.round.missing
        return closed

    def _collect(self) -> None:
        """Give the server what is not given to it one by one."""

    def _missing(self) -> int:
        """Return how many clients had not answered when their time was over."""
        return len(self.round.awaited()) if self.round else 0

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
                return self._greet(node, answer, now)
            case Trouble() if member is None:
                return self._cannot_join(node, answer, now)
            case _ if member is None:
                raise Refused("node", f"node {node} answered, and speaks for no client of this run")
            case Trouble():
                return self._trouble(member, answer, now)
            case Masked():
                return self._masked(member, answer, now)
            case Reported():  # the last kind that there is
                return self._reported(member, answer)

    def _masked(self, member: Member, answer: Masked, now: float) -> list[Outgoing]:
        raise Refused("round", f"client {member.number}: a masked vector, and none was asked for")

    def failed(self, node: int, problem: str) -> None:
        """Take note that the transport says a node could not answer."""
        self.tally.fault("transport", problem, node=node)
        member = self.members.of(node)
        if member is None:
            self._greetings.again(node)
        else:
            self._has_failed(member)

    def _has_failed(self, member: Member) -> None:
        """Take note that a client cannot answer."""
        if self.round and member.number in self.round.awaited():
            self.round.lost[member.number] = "failed"

    # --- who someone is

    def _who_is(self, node: int, reason: str, now: float) -> list[Outgoing]:
        """Ask a node anew who it is, where someone may have spoken in its name."""
        if reason not in ("seal", "identity") or node not in self.online:
            return []
        asked = self._greetings.once_more(node, now) or self._greetings.due([node], now)
        return [self._greeting(node)] if asked else []

    def _cannot_join(self, node: int, trouble: Trouble, now: float) -> list[Outgoing]:
        """Take note of what keeps a node from joining, and ask once more at once.

        A client tells of changed data once, and then goes on with them.
        """
        self.tally.fault(trouble.reason, f"node {node}: {trouble.text}", node=node)
        again = node in self.online and self._greetings.once_more(node, now)
        return [self._greeting(node)] if again else []

    def _greet(self, node: int, holds: Holds, now: float) -> list[Outgoing]:
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

    def _trouble(self, member: Member, trouble: Trouble, now: float) -> list[Outgoing]:
        text = f"client {member.number}: {trouble.text}"
        self.tally.fault(trouble.reason, text, node=member.node)
        if trouble.reason != "forged":  # who refuses an ask has not looked at what it holds
            member.holding = trouble.holding
        if self._farewell is not None:
            return self._farewell.mend(member) if member.node in self.online else []
        return self._mended(member, trouble, now)

    def _mended(self, member: Member, trouble: Trouble, now: float) -> list[Outgoing]:
        """Return what may help a client that is in trouble, one time a round."""
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
