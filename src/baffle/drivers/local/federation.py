"""One process, all clients: only bytes cross between the server's and the clients' objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baffle.cohort import draw_cohort
from baffle.drivers.local.answers import Answers
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.traffic import Traffic
from baffle.errors import LedgerTampered, Refused
from baffle.ledger import Ledger, Row
from baffle.ledger.replay import decode_row
from baffle.protocol import Closed, Outcome, Plan, Rules, Server, decode_outcome, decode_plan
from baffle.protocol.codec import report_size
from baffle.protocol.participants import encode_participants
from baffle.updates import TrainState


@dataclass
class Follower:
    """The clients' replica of the training state, kept up from bytes alone.

    All clients of one process share it: it is a function of what the server sent, so sharing it
    saves their time and hides nothing.
    """

    rules: Rules
    state: TrainState
    digest: bytes

    def follow(self, plan_bytes: bytes, outcome_bytes: bytes, expected: bytes) -> None:
        """Take a closed round.

        Raises:
            LedgerTampered: the replica's digest is not the server's.
        """
        plan = decode_plan(plan_bytes)
        self.state = self.rules.advance(self.state, plan, decode_outcome(outcome_bytes, plan.count))
        self.digest = self.state.digest()
        if self.digest != expected:
            raise LedgerTampered(
                self.state.round,
                f"round {self.state.round}: the clients' replica has the digest "
                f"{self.digest.hex()[:16]}…, the server {expected.hex()[:16]}…",
            )


@dataclass(frozen=True)
class RoundRecord:
    """What a round came to, as the driver saw it.

    Args:
        plan, outcome, digest: as stored.
        asked, late: how many were asked; how many reports came after the round closed.
        probes: losses evaluated by all clients.
        example_evaluations: those times the examples of each.
        seconds: wall clock, evaluation of the model not included.
    """

    plan: Plan
    outcome: Outcome
    digest: bytes
    asked: int
    late: int
    probes: int
    example_evaluations: int
    seconds: float


@dataclass
class Federation:
    """A simulated federation.

    Args:
        server: state machine, with the state to go on from.
        follower: the clients' replica of the same state.
        answers: how reports are computed.
        ledger: open for writing; a round is stored before it is acknowledged.
        clients: registered clients.
        cohort: clients asked each round.
        faults: who does not answer in time.
        traffic: byte counts.
        snapshot_every: rounds between snapshots.
    """

    server: Server
    follower: Follower
    answers: Answers
    ledger: Ledger
    key: int
    clients: int
    cohort: int
    faults: Faults
    traffic: Traffic
    snapshot_every: int
    _late: list[bytes] = field(default_factory=list)
    _came_late: int = 0

    def rounds(self, until: int, stop: Callable[[], bool] = lambda: False) -> Iterator[RoundRecord]:
        """Run rounds up to round `until`, or until `stop` says so at a round's border."""
        while self.server.state.round < until and not stop():
            yield self.round()

    def round(self) -> RoundRecord:
        """Run one round and store it."""
        started = time.perf_counter()
        number = self.server.state.round
        cohort = draw_cohort(self.key, number, self.clients, self.cohort)
        plan_bytes = self.server.open_round(frozenset(cohort.tolist()))
        self.traffic.ask(number, cohort, len(plan_bytes))
        late = self._came_late
        self._deliver_late()
        evaluations = self._collect(plan_bytes, number, cohort)
        closed = self.server.close_round()
        self._store(closed)
        self.server.commit()
        self.traffic.close(len(closed.plan_bytes) + len(closed.outcome_bytes))
        self.follower.follow(closed.plan_bytes, closed.outcome_bytes, closed.digest)
        took = time.perf_counter() - started
        return self._record(
            closed.plan, closed.outcome, closed.digest, cohort, late, evaluations, took
        )

    def _record(
        self,
        plan: Plan,
        outcome: Outcome,
        digest: bytes,
        cohort: NDArray[np.int64],
        late: int,
        evaluations: int,
        seconds: float,
    ) -> RoundRecord:
        answers = sum(len(part) for part in self.faults.split(plan.round, cohort))
        return RoundRecord(
            plan, outcome, digest, len(cohort), late, plan.probes * answers, evaluations, seconds
        )

    def recall(self, row: Row) -> RoundRecord:
        """Count a stored round as it was counted when it ran; only its seconds are lost."""
        last = decode_row(row)
        plan = last.plan
        cohort = draw_cohort(self.key, plan.round, self.clients, self.cohort)
        on_time, late = self.faults.split(plan.round, cohort)
        self.traffic.ask(plan.round, cohort, len(row.plan))
        self.traffic.close(len(row.plan) + len(row.outcome))
        evaluations = 0
        for number in [*on_time.tolist(), *late.tolist()]:
            self.traffic.report(report_size(plan.count, plan.bits))
            evaluations += self.answers.evaluations(plan, number)
        came_late, self._came_late = self._came_late, len(late)
        return self._record(plan, last.outcome, row.digest, cohort, came_late, evaluations, 0.0)

    def _deliver_late(self) -> None:
        """Give the server what came too late for the round before; it refuses it by round."""
        for data in self._late:
            self._hand(data)
        self._late = []

    def _hand(self, report: bytes) -> None:
        with suppress(Refused):  # counted by the server, by reason
            self.server.receive(report)

    def _collect(self, plan_bytes: bytes, number: int, cohort: NDArray[np.int64]) -> int:
        """Ask the cohort; returns example evaluations."""
        on_time, late = self.faults.split(number, cohort)
        follower, evaluations = self.follower, 0
        asked = [*on_time.tolist(), *late.tolist()]
        self._came_late = len(late)
        answers = self.answers.collect(plan_bytes, follower.state, follower.digest, asked)
        for place, answer in enumerate(answers):
            self.traffic.report(len(answer.report))
            evaluations += answer.example_evaluations
            if place < len(on_time):
                self._hand(answer.report)
            else:
                self._late.append(answer.report)
        return evaluations

    def _store(self, closed: Closed) -> None:
        state = closed.state
        participants = encode_participants(closed.participants)
        self.ledger.append(
            Row(state.round, closed.plan_bytes, closed.outcome_bytes, participants, closed.digest)
        )
        if state.round % self.snapshot_every == 0:
            self.ledger.save(state)
