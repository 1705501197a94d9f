"""A fleet's server whose clients' reports go into secure sums.

A round has three stages, and in a steady state two exchanges: when the masked vectors of a round
are in, the cohort of the next one is drawn, and what opens this round travels with what shares the
secrets of the next.

    round r     plan, mask ▶          unmask r, share r + 1 ▶          plan, mask ▶ …
    client                  ◀ vector                       ◀ shares

A client that is in one of the two rounds only gets its half of the second exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baffle.aggregation import nothing
from baffle.cohort import Groups
from baffle.errors import Refused
from baffle.fleet.asking import Outgoing
from baffle.fleet.coordinator import Coordinator
from baffle.fleet.keyed import KeyedCoordinator
from baffle.fleet.members import Member
from baffle.fleet.round import OpenRound
from baffle.fleet.secure_round import DONE, SecureRound
from baffle.fleet.sent import Sent
from baffle.protocol import Genesis
from baffle.protocol.exchange import Holding, Masked, Reported, Trouble
from baffle.protocol.exchange.trouble import ASKED_AGAIN, MENDED_BY_GREETING
from baffle.secagg import SecureSum
from baffle.secagg.outcome import MASK, SHARE, UNMASK
from baffle.secagg.wire import COMPLAINT, MASK_ANSWER, SHARE_ANSWER, UNMASK_ANSWER

ANSWERS = {SHARE: (SHARE_ANSWER,), MASK: (MASK_ANSWER, COMPLAINT), UNMASK: (UNMASK_ANSWER,)}


class SecureCoordinator(KeyedCoordinator):
    """The server's side of a fleet with secure sums. See `Coordinator` for its arguments."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.sums: SecureRound | None = None  # of the open round
        self.ahead: SecureRound | None = None  # of the next one, whose secrets are being shared
        self._sent: dict[int, Sent] = {}
        self._reason = "all"
        self.charged: set[int] = set()  # whose sum was opened in the round, and is of no use
        self.accused: set[int] = set()  # who lied in a sum; not asked again in this session

    # --- who may be asked

    def _shares(self, number: int) -> bool:
        return any(r.stage.name == SHARE and number in r.stage.asks for r in self._rounds())

    def _usable(self, rounds: int) -> list[Member]:
        sharing = self.ahead.members if self.ahead else set()
        found = super()._usable(rounds)
        found = [m for m in found if m.number not in self.accused]
        return [m for m in found if m.advert is not None or m.number in sharing]

    def _least(self) -> int:
        assert self.genesis.secure is not None
        return max(self.genesis.secure.min_group, super()._least())

    def _rounds(self) -> list[SecureRound]:
        return [r for r in (self.sums, self.ahead) if r is not None and r.stage.name != DONE]

    def _begun(self, number: int, there: list[Member], now: float) -> SecureRound:
        """Return a round's sums, at their first stage; it spends their clients' keys."""
        cohort = sorted(m.number for m in self._drawn(number, there))
        groups = self._dealt(number, cohort) or Groups((tuple(cohort),))
        members = [self.members.by_number[n] for n in cohort]
        adverts = {m.number: m.advert for m in members if m.advert is not None}
        for member in members:
            member.advert = None
        return SecureRound(number, groups, adverts, self.genesis, now, self.pace.exchange)

    # --- a round

    def open(self, now: float) -> list[Outgoing]:
        """Open a round: the one whose secrets are being shared, or one from its first exchange."""
        number, sums, out = self.server.state.round, self.ahead, False
        self.ahead = None
        if sums is None:
            sums, out = self._begun(number, self._usable(1), now), True
        self.sums, self._reason, self._groups = sums, "all", sums.groups
        cohort = sorted(sums.members)
        self._plan = sums.plan = self.server.open_round(frozenset(cohort), sums.groups)
        nodes = {n: self.members.by_number[n].node for n in cohort}
        asked = {n: node for n, node in nodes.items() if node is not None}
        wanted = min(self.cohort, len(cohort))
        self.round = OpenRound(number, now, sums.stage.ends, wanted, asked)
        asks = {n: (ask,) for n, ask in sums.stage.asks.items()} if out else {}
        return [*self._send(number, asks), *self._go_on(now)]

    def _go_on(self, now: float) -> list[Outgoing]:
        """Take every step that the open round can take now."""
        out: list[Outgoing] = []
        while self.sums is not None and self.sums.stage.name != DONE:
            assert self.round is not None
            reason = self.sums.over(now, self.round.wanted)
            if reason is None:
                break
            if reason != "all":
                self._reason = reason if self._reason != "deadline" else "deadline"
            out += self._step(self.sums, now, reason)
            self._show()
        return out

    def _step(self, sums: SecureRound, now: float, reason: str) -> list[Outgoing]:
        sharing = sums.stage.name == SHARE
        sums.advance(now, self.pace.deadline if sharing else self.pace.exchange, reason)
        if sharing:
            self._learn_next(sums)
        self._leave_out(sums)
        asks = {n: (ask,) for n, ask in sums.stage.asks.items()}
        match sums.stage.name:
            case "mask":
                evaluate = self.pace.evaluates(sums.number)
                return self._send(sums.number, asks, self._plan, evaluate)
            case "unmask":
                return self._opening(sums, asks, now)
        return []

    def _opening(
        self, sums: SecureRound, asks: Mapping[int, tuple[bytes, ...]], now: float
    ) -> list[Outgoing]:
        """Return what opens a round's sums and, in the same messages, shares for the next one's."""
        self.ahead = self._looked_ahead(sums, now)
        shares = self.ahead.stage.asks if self.ahead else {}
        both = {n: (*asks.get(n, ()), ask) for n, ask in shares.items()}
        rest = {n: ask for n, ask in asks.items() if n not in both}
        return [*self._send(sums.number, rest), *self._send(sums.number + 1, both)]

    def _looked_ahead(self, sums: SecureRound, now: float) -> SecureRound | None:
        """Return the next round's sums, if there is such a round and there are enough for it."""
        number = sums.number + 1
        if self.rounds is not None and number >= self.rounds:
            return None
        found = [
            m
            for m in self.present
            if m.advert is not None
            and m.number not in self.accused
            and self.eligible(m.number, 1 + (m.number in sums.members))
        ]
        return self._begun(number, found, now) if self._enough(len(found), now) else None

    def _leave_out(self, sums: SecureRound) -> None:
        """Ask those no more who lied in a sum; secrets that they share for the next are void."""
        for number in sorted(sums.accused.keys() - self.accused):
            self.accused.add(number)
            _, sentence = sums.accused[number]
            text = f"round {sums.number}: {sentence}; it is not asked again by this server"
            self.tally.fault("accused", text, node=self.members.by_number[number].node)
        if self.ahead is not None and self.ahead.members & self.accused:
            self._drop_ahead()

    def _learn_next(self, sums: SecureRound) -> None:
        """Take the keys that came with shares; who did not share is asked for its own."""
        for number in sums.members:
            if number in sums.next:
                self.members.by_number[number].advert = sums.next[number]
        lost = [n for n in sums.members if self.members.by_number[n].advert is None]
        self._ask_for_keys(lost)

    def _show(self) -> None:
        """Let the open round tell of the stage that its sums are at."""
        assert self.round is not None
        assert self.sums is not None
        stage = self.sums.stage
        self.round.reported, self.round.lost = set(stage.answers), dict(stage.lost)
        self.round.ends = stage.ends

    def over(self, now: float) -> str | None:
        """Return why the open round is over, or None."""
        return self._reason if self.sums is not None and self.sums.stage.name == DONE else None

    def _collect(self) -> None:
        """Give the server the groups' sums."""
        sums, summed = self.sums, set[int]()
        assert sums is not None
        assert self.round is not None
        self.charged = set()
        for group, found in sorted(sums.results.items()):
            if isinstance(found, SecureSum):
                summed |= self._summed(sums, group, found)
            else:
                text = f"round {sums.number}, group {group}: {found.sentence}"
                self.tally.tell("group abandoned", reason=found.reason, text=text)
                self._charge(group, found.opened)
        for number, reason, sentence in sums.refused:
            text = f"round {sums.number}: {sentence} ({reason})"
            if reason == "cipher":  # it says so of another: either may lie
                self.tally.tell("complaint", client=number, text=text)
            else:
                self.tally.fault("secure", text)
        self.round.reported = summed
        self.round.lost = {n: why for n, why in sums.lost.items() if n not in summed}

    def _summed(self, sums: SecureRound, group: int, found: SecureSum) -> set[int]:
        """Give the server a group's sum, if it can be one; returns whose it is."""
        form = sums.form(found.parameters.members)
        try:
            part = form.part(found.values, len(found.participants))
        except Refused as no:
            self.tally.fault("secure", f"round {sums.number}, group {group}: {no} ({no.reason})")
            self._charge(group, found.participants)
            return set()
        self.server.receive_sum(group, part, found.participants)
        return set(found.participants)

    def _charge(self, group: int, clients: tuple[int, ...]) -> None:
        """Count clients whose sum was opened for nothing: their privacy is spent all the same."""
        if clients:
            self.server.receive_sum(group, nothing(self.server.plan.count), clients)
            self.charged |= set(clients)

    def _missing(self) -> int:
        return self.sums.missing if self.sums else 0

    def commit(self) -> OpenRound:
        """Take the closed round as stored, and return what there is to say of it."""
        self.sums = None
        return super().commit()

    # --- what goes out

    def _send(
        self,
        number: int,
        asks: Mapping[int, tuple[bytes, ...]],
        plan: bytes | None = None,
        evaluate: bool = False,
    ) -> list[Outgoing]:
        """Return messages of a round to some clients; who is not there is lost for now."""
        out = []
        for n, messages in sorted(asks.items()):
            member = self.members.by_number[n]
            node = member.node
            self._sent[n] = Sent(number, messages, -1 if node is None else node, plan, evaluate)
            if node is None or (node not in self.online and node not in self._away):
                self._lose(n, "went away")
            else:
                out.append(self.asking.sums(member, self._sent[n]))
        return out

    def _send_again(self, member: Member, anew: bool = False) -> list[Outgoing]:
        """Return once more what a client was sent last."""
        sent = self._sent[member.number]
        assert member.node is not None
        sent.node = member.node
        return [self.asking.sums(member, sent, anew)]

    def _ask_again(self, member: Member) -> list[Outgoing]:
        """Ask a client that came back, perhaps as another node, if its answer is still wanted."""
        n, wanted = member.number, False
        for stage in (r.stage for r in self._rounds()):
            if n in stage.asks and n not in stage.answers:
                stage.lost.pop(n, None)
                wanted = True
        return self._send_again(member) if wanted else []

    def due(self, now: float) -> list[Outgoing]:
        """Return what is to be sent because of the time that has passed."""
        out = self._go_on(now)
        self._forget_ahead()
        return [*out, *self.remind(now)]

    def _forget_ahead(self) -> None:
        """Give up a round that is not open yet and has too few left; ask for keys anew."""
        ahead = self.ahead
        if ahead is None or self.round is not None:
            return
        if ahead.hopeless({m.number for m in self.present}):
            self._drop_ahead()

    def _drop_ahead(self) -> None:
        """Give up a round that is not open yet: its keys are spent, its clients say new ones."""
        assert self.ahead is not None
        numbers, self.ahead = self.ahead.members, None
        self._ask_for_keys(numbers)

    def remind(self, now: float) -> list[Outgoing]:
        """Ask those once more who have not answered for a while."""
        silent: set[int] = set()
        for stage in (r.stage for r in self._rounds()):
            if self.pace.remind and now - stage.began >= self.pace.remind:
                silent |= stage.awaited() - stage.reminded
        there = [m for m in self.present if m.number in silent]
        for stage in (r.stage for r in self._rounds()):
            stage.reminded.update(m.number for m in there)
        return [out for member in there for out in self._send_again(member)]

    # --- what comes in

    def _reported(self, member: Member, answer: Reported) -> list[Outgoing]:
        raise Refused("secure", f"client {member.number}: a report in the clear; sums are secure")

    def _masked(self, member: Member, answer: Masked, now: float) -> list[Outgoing]:
        number, sent = member.number, self._sent.get(member.number)
        try:
            if sent is None:
                raise Refused("round", f"client {number}: an answer, and it was asked for none")
            sent.require_answer(number, member.tag, answer)
        except Refused as no:
            if self.round is not None:
                self.round.late += no.reason == "round"
            raise
        sent.answered = True
        self._taken(member, sent, answer)
        return self._go_on(now)

    def _taken(self, member: Member, sent: Sent, answer: Masked) -> None:
        number = member.number
        for message in answer.messages:
            for round_ in self._rounds():
                if message[0] in ANSWERS[round_.stage.name]:
                    round_.take(number, message)
        if answer.refused is not None:
            text = f"client {number} refused a part of round {sent.round}: {answer.refused}"
            self._lose(number, f"said {answer.refused}")
            self._refused(member, answer.refused, text)
        if sent.plan is not None:  # its vector shows that it holds the state that the plan names
            member.holding = Holding(self.server.state.round, self.server.digest)
        if self.round is not None and answer.evaluation is not None:
            self.round.evaluations.append(answer.evaluation)
        if self.sums in self._rounds():  # else it is closed, and told of as it was summed
            self._show()

    def _refused(self, member: Member, reason: str, text: str) -> None:
        self.tally.fault(reason, text, node=member.node)
        if reason in MENDED_BY_GREETING:
            self._ask_for_keys([member.number])

    def _mended(self, member: Member, trouble: Trouble, now: float) -> list[Outgoing]:
        """Ask a client once more that what it lacks can be sent, or give it up for this stage."""
        number, sent = member.number, self._sent.get(member.number)
        if trouble.reason in MENDED_BY_GREETING and not self._shares(number):
            self._ask_for_keys([number])
        stages = [r.stage for r in self._rounds() if number in r.stage.awaited()]
        if not stages or sent is None:
            return self._keys_once_more(member, now)
        planned = sent.plan is not None
        again = trouble.reason in (ASKED_AGAIN if planned else ("forged", "decode"))
        if again and not any(number in stage.mended for stage in stages):
            for stage in stages:
                stage.mended.add(number)
            return self._send_again(member, anew=planned and self._is_lost(trouble))
        self._lose(number, f"said {trouble.reason}")
        return self._go_on(now)

    def _lose(self, number: int, why: str) -> None:
        for round_ in self._rounds():
            round_.lose(number, why)

    def _silent(self, member: Member, node: int) -> None:
        sent = self._sent.get(member.number)
        if sent is not None and sent.node == node:
            self._lose(member.number, "went away")

    def _has_failed(self, member: Member) -> None:
        self._lose(member.number, "failed")


def coordinator_of(genesis: Genesis, *args: Any, **named: Any) -> Coordinator:
    """Return a run's coordinator, by what its genesis says; arguments as for `Coordinator`."""
    kind = Coordinator if genesis.secure is None else SecureCoordinator
    return kind(genesis, *args, **named)
