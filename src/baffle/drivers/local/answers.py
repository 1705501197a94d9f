"""How a simulated cohort's reports are computed: one client after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from baffle.drivers.local.roster import Roster
from baffle.protocol import Plan, decode_plan
from baffle.updates import TrainState


@dataclass(frozen=True)
class Answer:
    """A report's bytes, and the example evaluations that it cost."""

    report: bytes
    example_evaluations: int


class Answers(Protocol):
    """A way to compute reports; every way gives the same bytes."""

    def collect(
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int]
    ) -> Iterator[Answer]:
        """Yield the answers of these clients, in this order."""
        ...

    def evaluations(self, plan: Plan, number: int) -> int:
        """Return the example evaluations that a client's answer costs."""
        ...


@dataclass(frozen=True)
class OneByOne:
    """Clients answer in this process, one after another, whatever their number in O(1) memory."""

    roster: Roster

    def collect(
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int]
    ) -> Iterator[Answer]:
        """Yield the answers of these clients, in this order."""
        asked = decode_plan(plan)
        for number in numbers:
            report = self.roster.client(number).answer(plan, state, digest)
            yield Answer(report, self.evaluations(asked, number))

    def evaluations(self, plan: Plan, number: int) -> int:
        """Return probes times the examples of each."""
        examples = len(self.roster.rows[number])
        return plan.probes * min(plan.batch or examples, examples)
