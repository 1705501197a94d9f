"""A stored round: the chain's check of it, and what its bytes decode to."""

from __future__ import annotations

from typing import Any

from baffle.errors import DecodeError, LedgerTampered
from baffle.ledger.chain import Row, row_link
from baffle.ledger.replay import decode_row
from baffle.ledger.rows import _checked
from baffle.protocol import encode_outcome, encode_plan
from baffle.protocol.participants import decode_participants, encode_participants
from tools.fuzz import messages
from tools.fuzz.binary import OUTCOME_FIELDS, PLAN_FIELDS
from tools.fuzz.draws import EDGES, Draws
from tools.fuzz.mutations import Sample, mutated
from tools.fuzz.target import HONEST, LARGE, POOL, Case, Target, differing

FOREIGN = (None, "", "text", 0, -1, 2**62, 1.5, b"", b"\0" * 32, b"\0" * 31)
FIELDS = ((), PLAN_FIELDS, OUTCOME_FIELDS, (), (), ())
Stored = tuple[Any, ...]


class Rows(Target):
    """The check of one row of the rounds table, `decode_row` and `decode_participants`."""

    name = "row"
    errors = (DecodeError, LedgerTampered)
    slope = 96
    constant = 1 << 20

    def prepare(self, draws: Draws) -> None:
        """Make rows, each with the link before it."""
        self.rows = [self._row(draws, False) for _ in range(POOL)]
        self.large = [self._row(draws, True) for _ in range(LARGE)]
        self.pools = [[Sample(s[n], FIELDS[n]) for s, _ in self.rows] for n in range(1, 6)]

    def _row(self, draws: Draws, large: bool) -> tuple[Stored, bytes]:
        plan = messages.plan(draws, large)
        who = encode_participants(messages.participants(draws, 2000 if large else draws.below(20)))
        outcome = encode_outcome(messages.outcome(draws, plan))
        row = Row(draws.between(1, 2**31), encode_plan(plan), outcome, who, draws.bytes(32))
        return _stored(row, before := draws.bytes(32)), before

    def draw(self, draws: Draws, large: bool) -> Case:
        """Return a stored row: as it was, damaged, or forged with a link that fits."""
        good, before = draws.pick(self.large if large else self.rows)
        stored = good
        honest = draws.chance(HONEST)
        if not honest:
            stored = self._spoiled(draws, good, before)
        size = sum(len(c) for c in stored if isinstance(c, bytes | str))
        return Case(stored, stored == good, (good, before), size)

    def _spoiled(self, draws: Draws, good: Stored, before: bytes) -> Stored:
        stored, at = list(good), draws.between(1, 5)
        match draws.below(8):
            case 0:
                stored[at] = draws.pick(FOREIGN)
            case 1:
                other = draws.between(1, 5)
                stored[at], stored[other] = stored[other], stored[at]
            case 2:
                stored[0] = draws.pick((*EDGES, good[0] + 1, -1))
            case 3:
                stored[at] = draws.pick(self.rows)[0][at]
            case way:
                content = Sample(good[at], FIELDS[at], 2 if at < 3 else 0)
                stored[at] = mutated(draws, content, self.pools[at - 1])
                if way > 5 and len(stored[4]) == 32:
                    return _stored(Row(*stored[:5]), before)
        return tuple(stored)

    def decode(self, case: Case) -> Any:
        """Call them."""
        good, before = case.about
        row, _ = _checked(case.data, good[0], before)
        return row, decode_row(row), decode_participants(row.participants)

    def wrong(self, case: Case, value: Any) -> str | None:
        """Check encodings, and that nothing is accepted that the link does not cover."""
        row, last, who = value
        good, before = case.about
        return differing(
            {
                "plan": encode_plan(last.plan) == row.plan,
                "outcome": encode_outcome(last.outcome) == row.outcome,
                "participants": encode_participants(who) == row.participants,
                "link": row_link(before, row) == case.data[5],
                "forged": case.data == good or case.data[5] != good[5],
                "round": row.round == good[0],
            }
        )


def _stored(row: Row, before: bytes) -> Stored:
    content = (row.round, row.plan, row.outcome, row.participants, row.digest)
    return (*content, row_link(before, row))
