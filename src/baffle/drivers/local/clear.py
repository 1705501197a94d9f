"""Reports in the clear: each client's goes to the server as bytes, on time or too late."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from baffle.cohort import Groups
from baffle.drivers.local.answers import Answers
from baffle.drivers.local.traffic import Traffic
from baffle.errors import Refused
from baffle.protocol import Plan, Server
from baffle.protocol.codec import report_size
from baffle.updates import TrainState


@dataclass(frozen=True)
class Asked:
    """Who is asked in a round, and what of.

    Args:
        plan: as encoded.
        state, digest: the clients' replica.
        groups: who is in which group.
        on_time, late: who answers, in their order; the others of a group never do.
    """

    plan: bytes
    state: TrainState
    digest: bytes
    groups: Groups
    on_time: tuple[int, ...]
    late: tuple[int, ...]


@dataclass
class InTheClear:
    """Collects single reports.

    Args:
        answers: how they are computed.
        traffic: byte counts.
    """

    answers: Answers
    traffic: Traffic
    _late: list[bytes] = field(default_factory=list)

    def collect(self, server: Server, asked: Asked) -> int:
        """Ask everyone and hand the server what comes in time; returns example evaluations."""
        self._deliver_late(server)
        evaluations = 0
        for group, members in enumerate(asked.groups.members):
            some = set(members)
            on_time = [n for n in asked.on_time if n in some]
            numbers = on_time + [n for n in asked.late if n in some]
            answers = self.answers.collect(asked.plan, asked.state, asked.digest, numbers, group)
            for place, answer in enumerate(answers):
                self.traffic.report(len(answer.report))
                evaluations += answer.example_evaluations
                if place < len(on_time):
                    _hand(server, answer.report)
                else:
                    self._late.append(answer.report)
        return evaluations

    def recall(self, plan: Plan, asked: Asked) -> int:
        """Count a stored round as it was counted when it ran; returns example evaluations."""
        evaluations = 0
        for number in (*asked.on_time, *asked.late):
            self.traffic.report(report_size(plan.count, plan.bits))
            evaluations += self.answers.evaluations(plan, number)
        return evaluations

    def _deliver_late(self, server: Server) -> None:
        """Give the server what came too late for the round before; it refuses it by round."""
        for data in self._late:
            _hand(server, data)
        self._late = []


def _hand(server: Server, report: bytes) -> None:
    with suppress(Refused):  # counted by the server, by reason
        server.receive(report)
