"""Answers of a federation in which some clients lie: honest ones, and what the attack makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from baffle.drivers.local.answers import Answer, Answers
from baffle.drivers.local.hostile.base import Attack, Scene, attack_words
from baffle.protocol import Plan, Report, decode_plan, decode_report
from baffle.protocol.codec import encode_report
from baffle.updates import TrainState


@dataclass(frozen=True)
class HostileAnswers:
    """Some clients' reports are the attack's.

    The hostile clients of one group know of each other: a group's answers are computed before the
    first is given.

    Args:
        honest: what the clients would answer.
        attack: what the hostile ones answer instead.
        who: numbers of the hostile clients.
        key: run key, for attacks that draw.
    """

    honest: Answers
    attack: Attack
    who: frozenset[int]
    key: int

    def collect(
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int], group: int = 0
    ) -> Iterator[Answer]:
        """Yield the answers of these clients, in this order."""
        answers = list(self.honest.collect(plan, state, digest, numbers, group))
        liars = [place for place, number in enumerate(numbers) if number in self.who]
        if liars:
            asked = decode_plan(plan)
            reports = [decode_report(answers[place].report, asked) for place in liars]
            for place, report in zip(liars, self._lies(asked, reports, len(numbers)), strict=True):
                answers[place] = replace(answers[place], report=encode_report(report, asked.bits))
        yield from answers

    def evaluations(self, plan: Plan, number: int) -> int:
        """Return what the honest answer costs."""
        return self.honest.evaluations(plan, number)

    def _lies(self, plan: Plan, reports: list[Report], clients: int) -> list[Report]:
        honest = np.stack([r.values for r in reports])
        words = attack_words(
            self.key, plan.round, np.array([r.client for r in reports]), plan.count
        )
        values = self.attack.values(Scene(plan.quantiser, honest, clients, words))
        return [replace(r, values=row) for r, row in zip(reports, values, strict=True)]
