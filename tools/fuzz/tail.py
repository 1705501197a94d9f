"""The rounds that a client follows: `Replica.catch_up` on hostile tails.

A copy decodes and checks every row, also those that it passes over because it is further already.
"""

from __future__ import annotations

from typing import ClassVar

from baffle.errors import DecodeError, Refused
from baffle.fleet.replica import Replica
from baffle.protocol.exchange import Ask, TailRow
from tools.fuzz.binary import OUTCOME_FIELDS, PLAN_FIELDS
from tools.fuzz.draws import Draws
from tools.fuzz.history import History, make
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import HONEST, Case, Target

RUNS, ROUNDS = 12, 5
FOLLOWED = 24  # following takes a millisecond: most inputs go to a copy that is past them already


class Tails(Target):
    """`Replica.catch_up` with rounds, and so `followed`."""

    name: ClassVar[str] = "tail"
    errors = (DecodeError, Refused)
    slope = 96
    constant = 1 << 20  # what following a round takes, whatever came

    def prepare(self, draws: Draws) -> None:
        """Make a few runs."""
        self.runs = [make(draws, ROUNDS) for _ in range(RUNS)]
        rows = [row for run in self.runs for row in run.rows]
        self.plans = [Sample(row.plan, PLAN_FIELDS) for row in rows]
        self.outcomes = [Sample(row.outcome, OUTCOME_FIELDS) for row in rows]

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return rounds to follow and the copy that is to follow them."""
        run = draws.pick(self.runs)
        since = draws.below(ROUNDS - 1)
        stands = since if draws.chance(FOLLOWED) else ROUNDS
        rows = list(run.rows[since : draws.between(since + 1, ROUNDS)])
        honest = draws.chance(HONEST)
        if not honest:
            self._spoil(draws, rows)
        size = sum(map(len, rows))
        return Case(rows, honest, (run, run.replica(stands)), size)

    def _spoil(self, draws: Draws, rows: list[TailRow]) -> None:
        at, way = draws.below(len(rows)), draws.below(12)
        row, other = rows[at], draws.pick(draws.pick(self.runs).rows)
        if way < 3:
            plan = Sample(row.plan, PLAN_FIELDS)
            rows[at] = TailRow(mutated(draws, plan, self.plans), row.outcome)
        elif way < 7:
            outcome = Sample(row.outcome, OUTCOME_FIELDS)
            rows[at] = TailRow(row.plan, mutated(draws, outcome, self.outcomes))
        elif way == 7:
            rows[at] = draws.pick((TailRow(row.plan, other.outcome), TailRow(other.plan, b"")))
        elif way == 8:
            rows[at] = other
        elif way == 9:
            rows.insert(draws.below(len(rows) + 1), row)
        elif way == 10:
            del rows[at]
        else:
            rows.reverse()

    def decode(self, case: Case) -> Replica:
        """Call it."""
        run, replica = case.about
        found: Replica = replica.catch_up(Ask(run.genesis.run, 0, tail=case.data), ())
        return found

    def wrong(self, case: Case, value: Replica) -> str | None:
        """Check that a forged round comes to light with the next honest one at the latest."""
        run: History = case.about[0]
        assert value.state is not None
        at = value.state.round
        if value.digest != value.state.digest():
            return "a digest that is not the state's"
        if value.digest == run.digests[at]:
            return None
        if case.honest:
            return "another digest after honest rounds"
        return _goes_on(value, run, at)


def _goes_on(value: Replica, run: History, at: int) -> str | None:
    """Return what is wrong if a forged state takes the next honest round."""
    if at >= len(run.rows):
        return None
    try:
        value.followed(run.rows[at])
    except Refused as no:
        return None if no.reason == "digest" else f"refused for {no.reason}"
    return "a forged round was followed by an honest one"
