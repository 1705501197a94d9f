"""The server's side of a round, as a table of states. No I/O, no clock.

        open_round        receive*        close_round          commit
  IDLE ───────────▶ OPEN ─────────▶ OPEN ────────────▶ CLOSED ────────▶ IDLE

`close_round` returns what must be stored; `commit` is called once it is stored, so that nothing
is acknowledged that a crash could lose. A server that dies with a round open opens the same plan
again, since a plan is a function of what the ledger holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from baffle.aggregation import WeightedSum
from baffle.errors import ProtocolError, Refused
from baffle.protocol.advance import Rules
from baffle.protocol.codec import RUN_PREFIX, decode_report, encode_outcome, encode_plan
from baffle.protocol.messages import Outcome, Plan, Report
from baffle.protocol.policy import Last, Policy
from baffle.updates import TrainState

COUNTERS = ("loss", "clips", "nonfinite", "energy", "odd", "even")


class Stage(Enum):
    """Where in a round the server stands."""

    IDLE = "idle"
    OPEN = "open"
    CLOSED = "closed"


_TABLE = {
    (Stage.IDLE, "open_round"): Stage.OPEN,
    (Stage.OPEN, "receive"): Stage.OPEN,
    (Stage.OPEN, "close_round"): Stage.CLOSED,
    (Stage.CLOSED, "commit"): Stage.IDLE,
}


@dataclass(frozen=True)
class Closed:
    """A closed round, to be stored before `commit`.

    Args:
        plan, outcome: values.
        plan_bytes, outcome_bytes: their encodings.
        participants: numbers of the clients whose reports were summed, ascending.
        state, digest: after the round.
    """

    plan: Plan
    outcome: Outcome
    plan_bytes: bytes
    outcome_bytes: bytes
    participants: tuple[int, ...]
    state: TrainState
    digest: bytes


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
    ) -> None:
        self.run, self.rules, self.policy = run, rules, policy
        self.state, self.clients, self.min_reports, self.last = state, clients, min_reports, last
        self.digest = state.digest()
        self.stage = Stage.IDLE
        self.refusals: dict[str, int] = {}
        self._cohort: frozenset[int] | None = None
        self._closed: Closed | None = None

    def _event(self, event: str) -> None:
        if (self.stage, event) not in _TABLE:
            allowed = [e for s, e in _TABLE if s is self.stage]
            raise ProtocolError(
                f"the server is {self.stage.value}: expected {' or '.join(allowed)}, got {event}"
            )
        self.stage = _TABLE[self.stage, event]

    def open_round(self, cohort: frozenset[int] | None = None) -> bytes:
        """Begin a round and return its plan; reports from outside the cohort are refused."""
        self._event("open_round")
        self.plan = self.policy.plan(self.run, self.state.round, self.digest, self.last)
        self._plan_bytes = encode_plan(self.plan)
        self._cohort = cohort
        self._sum = WeightedSum(self.plan.count)
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._seen: dict[int, bytes] = {}
        return self._plan_bytes

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
            report = decode_report(data, self.plan)
            self._require_sender(report, sender)
            self._admit(report, data)
        except Refused as no:
            self._count(no.reason)
            raise
        except ProtocolError:
            self._count("decode")
            raise
        self._seen[report.client] = data
        self._sum.add(report.values, report.weight)
        for name in COUNTERS:
            self._counters[name] += getattr(report, name)
        return report

    def _count(self, reason: str) -> None:
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
        )
        return self._closed

    def _outcome(self) -> Outcome:
        total = self._sum
        values = total.values if total.reports >= self.min_reports else total.values[:0]
        return Outcome(
            self.run,
            self.plan.round,
            total.reports,
            total.weight,
            total.weight_squares,
            values=values,
            **self._counters,
        )

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
