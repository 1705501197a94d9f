"""How a simulated cohort's reports are computed: one client after another, or many together.

Clients that share a round's points differ in their examples and in what only they may know. So many
of them can go through the model in one pass, and the arithmetic behind it can be done for all at
once; see protocol/steps.py. Each way is told plan bytes and gives report bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Points
from baffle.directions.keyed import Keys
from baffle.drivers.local.passes import passes
from baffle.drivers.local.roster import Roster
from baffle.protocol import Client, Plan, decode_plan
from baffle.protocol.codec import encode_report
from baffle.protocol.steps import (
    batch_size,
    draw_batches,
    draw_candidates,
    evaluations,
    here,
    pick_batches,
    picks,
    points_of,
    require_losses,
    take,
)
from baffle.updates import TrainState

BLOCK_LOSSES = 2**18  # losses of a block of clients held at once; a run's bits depend on it


@dataclass(frozen=True)
class Answer:
    """A report's bytes, and the example evaluations that it cost."""

    report: bytes
    example_evaluations: int


class Answers(Protocol):
    """A way to compute reports; from the same losses every way gives the same bytes."""

    def collect(
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int], group: int = 0
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
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int], group: int = 0
    ) -> Iterator[Answer]:
        """Yield the answers of these clients, in this order."""
        asked = decode_plan(plan)
        for client in map(self.roster.client, numbers):
            report = client.answer(plan, state, digest, group)
            yield Answer(report, evaluations(asked, client.examples))

    def evaluations(self, plan: Plan, number: int) -> int:
        """Return probes times the examples of each, and the candidates that are looked at."""
        return evaluations(plan, len(self.roster.rows[number]))


@dataclass(frozen=True)
class Together:
    """Clients answer in this process, many in one pass, in a block's memory.

    With several local steps each client moves weights of its own: then they go one after another.

    Args:
        roster: the clients.
        clients: most clients in one pass; 1 gives each client the losses that it has alone.
    """

    roster: Roster
    clients: int

    def collect(
        self, plan: bytes, state: TrainState, digest: bytes, numbers: list[int], group: int = 0
    ) -> Iterator[Answer]:
        """Yield the answers of these clients, in this order."""
        asked = decode_plan(plan)
        if asked.num_local_steps > 1:
            yield from OneByOne(self.roster).collect(plan, state, digest, numbers, group)
            return
        points = points_of(asked, self.roster.rules.signature, 0, group)
        held = len(points) * (max(1, asked.batch) if asked.candidates else 1)
        size = self.clients * max(1, BLOCK_LOSSES // (self.clients * held))
        for start in range(0, len(numbers), size):
            clients = [self.roster.client(n) for n in numbers[start : start + size]]
            for client in clients:
                client.check(asked, state, digest, group)
            reports = self._reports(asked, points, state, clients)
            for client, report in zip(clients, reports, strict=True):
                yield Answer(report, evaluations(asked, client.examples))

    def evaluations(self, plan: Plan, number: int) -> int:
        """Return what the answer costs alone."""
        return OneByOne(self.roster).evaluations(plan, number)

    def _reports(
        self, plan: Plan, points: Points, state: TrainState, clients: Sequence[Client]
    ) -> list[bytes]:
        keys = np.array([c.key for c in clients], dtype=np.uint64)
        losses = np.empty((len(clients), len(points)))
        for group in _of_one_size(plan, clients):
            some, own = [clients[i] for i in group], keys[group]
            examples = np.array([c.examples for c in some])
            if picks(plan, some[0].examples):
                losses[group] = self._picked(plan, points, state, some, own, examples)
                continue
            rows = self._rows(some, draw_batches(plan, 0, own, examples))
            losses[group] = self._losses(points, state, rows, self.clients)
        taken = take(plan, 0, keys, losses)
        return [
            encode_report(c.report(plan, [step]), plan.bits)
            for c, step in zip(clients, taken, strict=True)
        ]

    def _picked(
        self,
        plan: Plan,
        points: Points,
        state: TrainState,
        clients: Sequence[Client],
        keys: Keys,
        examples: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the losses [C, P] of clients that pick their batches among as many candidates."""
        candidates = draw_candidates(plan, 0, keys, examples)
        before = self._each(here(points), state, clients, candidates)[:, :, 0]
        batches = pick_batches(plan, 0, keys, candidates, before)
        each = self._each(points, state, clients, np.array([b.examples for b in batches]))
        return np.array([b.losses(own) for b, own in zip(batches, each, strict=True)])

    def _each(
        self,
        points: Points,
        state: TrainState,
        clients: Sequence[Client],
        examples: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the losses [C, B, P] of each of the clients' examples [C, B]."""
        rows = [row for own in self._rows(clients, examples) for row in own[:, None]]
        size = examples.shape[1]
        losses = self._losses(points, state, rows, self.clients * size)
        return losses.reshape(len(clients), size, len(points))

    def _rows(
        self, clients: Sequence[Client], examples: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        return [self.roster.own(c)[own] for c, own in zip(clients, examples, strict=True)]

    def _losses(
        self, points: Points, state: TrainState, rows: Sequence[NDArray[np.int64]], most: int
    ) -> NDArray[np.float64]:
        """Return the mean losses [n, P] over each of n batches of rows, all of one size."""
        found = []
        for part in passes(len(rows), most):
            losses = self.roster.probe.many(state.weights, points, rows[part])
            require_losses(losses, (part.stop - part.start, len(points)), "this model's probe")
            found.append(losses)
        return np.concatenate(found)


def _of_one_size(plan: Plan, clients: Sequence[Client]) -> Iterator[list[int]]:
    """Yield the places of clients whose batches have one size, and candidates, size by size."""
    sizes = [(batch_size(plan, c.examples), min(plan.candidates, c.examples)) for c in clients]
    places = sorted(range(len(clients)), key=sizes.__getitem__)
    return (list(group) for _, group in itertools.groupby(places, sizes.__getitem__))
