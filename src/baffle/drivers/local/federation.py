"""One process, all clients: only bytes cross between the server's and the clients' objects."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.cohort import Groups, deal, draw_cohort
from baffle.drivers.local.clear import Asked
from baffle.drivers.local.faults import Faults
from baffle.drivers.local.traffic import Traffic
from baffle.errors import LedgerTampered
from baffle.ledger import Ledger, Row
from baffle.ledger.replay import decode_row
from baffle.protocol import Closed, Outcome, Plan, Rules, Server, decode_outcome, decode_plan
from baffle.protocol.participants import decode_participants, encode_participants
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
        self.state = self.rules.advance(self.state, plan, decode_outcome(outcome_bytes, plan.sums))
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
        participants: whose reports are in the outcome.
        smallest_sum: fewest clients whose integers the server saw as one sum; 0 if it saw none.
    """

    plan: Plan
    outcome: Outcome
    digest: bytes
    asked: int
    late: int
    probes: int
    example_evaluations: int
    seconds: float
    participants: tuple[int, ...]
    smallest_sum: int


class Collecting(Protocol):
    """How what clients say comes to the server."""

    def collect(self, server: Server, asked: Asked) -> int:
        """Ask everyone and give the server what comes; returns example evaluations."""
        ...

    def recall(self, plan: Plan, asked: Asked) -> int:
        """Count a stored round as it was counted when it ran; returns example evaluations."""
        ...


@dataclass
class Federation:
    """A simulated federation.

    Args:
        server: state machine, with the state to go on from.
        follower: the clients' replica of the same state.
        collecting: how what clients say comes to the server.
        ledger: open for writing; a round is stored before it is acknowledged.
        clients: registered clients.
        cohort: clients asked each round.
        groups: clients of a round to how many groups they are dealt; None for one, unnamed.
        draw: who is asked, a row of COHORTS.
        faults: who does not answer in time.
        traffic: byte counts.
        snapshot_every: rounds between snapshots.
    """

    server: Server
    follower: Follower
    collecting: Collecting
    ledger: Ledger
    key: int
    clients: int
    cohort: int
    faults: Faults
    traffic: Traffic
    snapshot_every: int
    groups: Callable[[int], int] | None = None
    draw: Callable[[int, int, int, int], NDArray[np.int64]] = draw_cohort
    _came_late: int = 0

    def rounds(self, until: int, stop: Callable[[], bool] = lambda: False) -> Iterator[RoundRecord]:
        """Run rounds up to round `until`, or until `stop` says so at a round's border."""
        while self.server.state.round < until and not stop():
            yield self.round()

    def round(self) -> RoundRecord:
        """Run one round and store it."""
        started = time.perf_counter()
        number = self.server.state.round
        cohort = self.draw(self.key, number, self.clients, self.cohort)
        groups = self._deal(number, cohort)
        plan_bytes = self.server.open_round(frozenset(cohort.tolist()), groups)
        self.traffic.ask(number, cohort, len(plan_bytes))
        asked = self._asked(plan_bytes, number, cohort, groups)
        late, self._came_late = self._came_late, len(asked.late)
        evaluations = self.collecting.collect(self.server, asked)
        closed = self.server.close_round()
        self._store(closed)
        self.server.commit()
        self.traffic.close(len(closed.plan_bytes) + len(closed.outcome_bytes))
        self.follower.follow(closed.plan_bytes, closed.outcome_bytes, closed.digest)
        took = time.perf_counter() - started
        return RoundRecord(
            closed.plan,
            closed.outcome,
            closed.digest,
            len(cohort),
            late,
            self._probes(closed.plan, cohort),
            evaluations,
            took,
            closed.participants,
            closed.smallest_sum,
        )

    def next_cohort(self) -> list[int]:
        """Return whom the next round asks."""
        number = self.server.state.round
        cohort: list[int] = self.draw(self.key, number, self.clients, self.cohort).tolist()
        return cohort

    def _deal(self, number: int, cohort: NDArray[np.int64]) -> Groups | None:
        if self.groups is None:
            return None
        return deal(self.key, number, cohort.tolist(), self.groups(len(cohort)))

    def _asked(
        self, plan: bytes, number: int, cohort: NDArray[np.int64], groups: Groups | None
    ) -> Asked:
        on_time, late = (tuple(part.tolist()) for part in self.faults.split(number, cohort))
        everyone = groups or Groups((tuple(cohort.tolist()),))
        follower = self.follower
        return Asked(plan, follower.state, follower.digest, everyone, on_time, late)

    def _smallest_sum(self, participants: tuple[int, ...], groups: Groups | None) -> int:
        if not self.server.sums_only or groups is None:
            return len(participants) if self.server.sums_only else min(1, len(participants))
        counts = Counter(map(groups.of, participants))
        return min(counts.values(), default=0)

    def _probes(self, plan: Plan, cohort: NDArray[np.int64]) -> int:
        return plan.probes * sum(len(part) for part in self.faults.split(plan.round, cohort))

    def recall(self, row: Row) -> RoundRecord:
        """Count a stored round as it was counted when it ran; only its seconds are lost."""
        last = decode_row(row)
        plan = last.plan
        cohort = self.draw(self.key, plan.round, self.clients, self.cohort)
        self.traffic.ask(plan.round, cohort, len(row.plan))
        self.traffic.close(len(row.plan) + len(row.outcome))
        asked = self._asked(row.plan, plan.round, cohort, self._deal(plan.round, cohort))
        evaluations = self.collecting.recall(plan, asked)
        came_late, self._came_late = self._came_late, len(asked.late)
        return RoundRecord(
            plan,
            last.outcome,
            row.digest,
            len(cohort),
            came_late,
            self._probes(plan, cohort),
            evaluations,
            0.0,
            whose := decode_participants(row.participants),
            self._smallest_sum(whose, self._deal(plan.round, cohort)),
        )

    def _store(self, closed: Closed) -> None:
        state = closed.state
        participants = encode_participants(closed.participants)
        self.ledger.append(
            Row(state.round, closed.plan_bytes, closed.outcome_bytes, participants, closed.digest)
        )
        if state.round % self.snapshot_every == 0:
            self.ledger.save(state)
