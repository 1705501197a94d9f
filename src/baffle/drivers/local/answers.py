"""How a simulated cohort's reports are computed: one client after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from baffle.drivers.local.roster import Roster
from baffle.protocol import decode_plan
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
            client = self.roster.client(number)
            examples = min(asked.batch or client.examples, client.examples)
            yield Answer(client.answer(plan, state, digest), asked.probes * examples)
