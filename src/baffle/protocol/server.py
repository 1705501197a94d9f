"""The server's side of a round, as a table of states. No I/O, no clock.

        open_round    receive*, receive_sum*    close_round          commit
  IDLE ───────────▶ OPEN ──────────────▶ OPEN ────────────▶ CLOSED ────────▶ IDLE

`close_round` returns what must be stored; `commit` is called once it is stored, so that nothing
is acknowledged that a crash could lose. A server that dies with a round open opens the same plan
again, since a plan is a function of what the ledger holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from baffle.aggregation import COUNTERS, Collector, Keeping, Part, Summing, over_groups
from baffle.aggregation.rules import PlainSum, Rule
from baffle.cohort import Groups
from baffle.errors import ProtocolError, Refused
from baffle.protocol.advance import Rules
from baffle.protocol.codec import RUN_PREFIX, decode_report, encode_outcome, encode_plan
from baffle.protocol.messages import Outcome, Plan, Report
from baffle.protocol.policy import Last, Policy
from baffle.updates import TrainState


class Stage(Enum):
    """Where in a round the server stands."""

    IDLE = "idle"
    OPEN = "open"
    CLOSED = "closed"


_TABLE = {
    (Stage.IDLE, "open_round"): Stage.OPEN,
    (Stage.OPEN, "receive"): Stage.OPEN,
    (Stage.OPEN, "receive_sum"): Stage.OPEN,
    (Stage.OPEN, "close_round"): Stage.CLOSED,
    (Stage.CLOSED, "commit"): Stage.IDLE,
}


@dataclass(frozen=True)
class Closed:
    """A closed round, to be stored before `commit`.

    Args:
        plan, outcome: values.
        plan_bytes, outcome_bytes: their encodings.
        participants: numbers of the clients whose reports were summed, or are in a secure sum that
            was opened and came to nothing; ascending.
        state, digest: after the round.
        smallest_sum: fewest clients whose integers the server saw as one; 0 if it saw none.
    """

    plan: Plan
    outcome: Outcome
    plan_bytes: bytes
    outcome_bytes: bytes
    participants: tuple[int, ...]
    state: TrainState
    digest: bytes
    smallest_sum: int


def part_of(report: Report) -> Part:
    """Return what a report adds to a sum."""
    weight = report.weight
    counters = tuple(getattr(report, name) for name in COUNTERS)
    return Part(weight * report.values, 1, weight, weight**2, counters)


class Server:
    """One run's server.

    Args:
        run: the run's 16 bytes.
        rules: what its integers mean.
        policy: what to ask for next, a function of the last round.
        state: where training stands.
        clients: roster size; a report from a number outside it is refused.
        min_reports: with fewer, the round is abandoned and the weights stay.
        last: plan and outcome of the round before, None at the start.
        rule: what makes one vector of the reports to the same directions; over groups that share
            directions, of the groups' sums.
        sums_only: whether single reports are refused, since clients send them to secure sums.
    """

    def __init__(
        self,
        run: bytes,
        rules: Rules,
        policy: Policy,
        state: TrainState,
        clients: int,
        min_reports: int = 1,
        last: Last | None = None,
        rule: Rule | None = None,
        sums_only: bool = False,
    ) -> None:
        self.run, self.rules, self.policy = run, rules, policy
        self.state, self.clients, self.min_reports, self.last = state, clients, min_reports, last
        self.rule: Rule = rule or PlainSum()
        self.sums_only = sums_only
        self.digest = state.digest()
        self.stage = Stage.IDLE
        self.refusals: dict[str, int] = {}
        self._cohort: frozenset[int] | None = None
        self.groups: Groups | None = None
        self._closed: Closed | None = None

    def _event(self, event: str) -> None:
        if (self.stage, event) not in _TABLE:
            allowed = [e for s, e in _TABLE if s is self.stage]
            raise ProtocolError(
                f"the server is {self.stage.value}: expected {' or '.join(allowed)}, got {event}"
            )
        self.stage = _TABLE[self.stage, event]

    def open_round(
        self, cohort: frozenset[int] | None = None, groups: Groups | None = None
    ) -> bytes:
        """Begin a round and return its plan.

        Args:
            cohort: reports from others are refused; None for anyone of the roster.
            groups: who is in which group; None for one group.
        """
        self._event("open_round")
        self.plan = self.policy.plan(self.run, self.state.round, self.digest, self.last, self.state)
        if groups is not None:
            self.plan = replace(self.plan, groups=len(groups))
        self._plan_bytes = encode_plan(self.plan)
        self._cohort, self.groups = cohort, groups
        self._collectors = [self._collector() for _ in range(self.plan.groups)]
        self._seen: dict[int, bytes] = {}
        return self._plan_bytes

    @property
    def _over_groups(self) -> bool:
        """Whether the rule is over the groups' sums, not over single reports."""
        return self.sums_only and self.rule.name != PlainSum.name

    def _collector(self) -> Collector:
        if self.rule.name == PlainSum.name or self.sums_only:
            return Summing(self.plan.count)
        return Keeping(self.plan.count, self.rule)

    def receive(self, data: bytes, sender: int | None = None) -> Report:
        """Add one report to the sum.

        Args:
            data: bytes.
            sender: number of the client that the transport says it came from, if it can tell.

        Raises:
            DecodeError, Refused: it is counted in `refusals` and not summed; the round goes on.
        """
        self._event("receive")
        try:
            self._require_single()
            report = decode_report(data, self.plan)
            self._require_sender(report, sender)
            self._admit(report, data)
        except Refused as no:
            self.refuse(no.reason)
            raise
        except ProtocolError:
            self.refuse("decode")
            raise
        self._seen[report.client] = data
        group = 0 if self.groups is None else self.groups.of(report.client)
        self._collectors[group].add(part_of(report))
        return report

    def receive_sum(self, group: int, part: Part, clients: Sequence[int]) -> None:
        """Add the sum of a secure group, or nothing where an opened one is no use.

        Args:
            group: which.
            part: the sum.
            clients: whose contributions are in it.

        Raises:
            ProtocolError: a client whose contribution is in the round already.
        """
        self._event("receive_sum")
        twice = self._seen.keys() & set(clients)
        if twice:
            raise ProtocolError(
                f"group {group}: a sum with client {min(twice)}, which is in the round already"
            )
        self._seen.update(dict.fromkeys(clients, b""))
        self._collectors[group].add(part)

    def _require_single(self) -> None:
        if self.sums_only:
            raise Refused("secure", "a report in the clear, and this run has secure sums only")

    def refuse(self, reason: str) -> None:
        """Count something that was refused."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def _require_sender(self, report: Report, sender: int | None) -> None:
        if sender not in (None, report.client):
            raise Refused(
                "identity", f"client {sender} sent a report in the name of client {report.client}"
            )

    def _admit(self, report: Report, data: bytes) -> None:
        who = f"client {report.client}"
        if report.run != self.run[:RUN_PREFIX]:
            raise Refused(
                "run",
                f"{who}: expected a report to run {self.run.hex()[:16]}, got {report.run.hex()}",
            )
        if report.round != self.plan.round:
            raise Refused(
                "round", f"{who}: expected a report to round {self.plan.round}, got {report.round}"
            )
        if report.client >= self.clients:
            raise Refused("client", f"expected a client below {self.clients}, got {report.client}")
        if self._cohort is not None and report.client not in self._cohort:
            raise Refused("cohort", f"{who} was not asked in round {self.plan.round}")
        if report.nonfinite == self.plan.count:
            raise Refused("nonfinite", f"{who}: none of its losses was a finite number")
        if report.client in self._seen:
            same = "the same" if self._seen[report.client] == data else "another"
            raise Refused(
                "twice", f"{who} reported already in round {self.plan.round}, with {same} content"
            )

    def close_round(self) -> Closed:
        """End the round and return what must be stored; too few reports abandon it."""
        self._event("close_round")
        outcome = self._outcome()
        state = self.rules.advance(self.state, self.plan, outcome)
        self._closed = Closed(
            self.plan,
            outcome,
            self._plan_bytes,
            encode_outcome(outcome),
            tuple(sorted(self._seen)),
            state,
            state.digest(),
            self._smallest_sum(),
        )
        return self._closed

    def _smallest_sum(self) -> int:
        if not self.sums_only:
            return min(1, len(self._seen))
        of = self.groups.of if self.groups else lambda client: 0
        return min(Counter(map(of, self._seen)).values(), default=0)

    def _outcome(self) -> Outcome:
        totals = self._totals()
        bare = [replace(t, values=t.values[:0]) for t in totals]
        rest = sum(bare[1:], start=bare[0])
        values = np.concatenate([t.values for t in totals])
        enough = rest.reports >= self.min_reports and rest.weight > 0
        return Outcome(
            self.run,
            self.plan.round,
            rest.reports,
            rest.weight,
            rest.weight_squares,
            values=values if enough else values[:0],
            **dict(zip(COUNTERS, rest.counters, strict=True)),
        )

    def _totals(self) -> list[Part]:
        """Return what came for each set of directions."""
        totals = [collector.total() for collector in self._collectors]
        if self._over_groups:  # of too few groups comes nothing: never a sum without the rule
            return [over_groups(self.rule, totals, self.plan.count)]
        return totals if self.plan.sets > 1 else [sum(totals[1:], start=totals[0])]

    def commit(self) -> None:
        """Take the closed round as stored."""
        self._event("commit")
        assert self._closed is not None
        closed = self._closed
        self.state, self.digest, self.last = (
            closed.state,
            closed.digest,
            Last(closed.plan, closed.outcome),
        )
