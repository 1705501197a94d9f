"""What honest clients computed, and what the ledger must therefore hold.

Nothing here is the coordinator's or the client's own: reports are kept as they left the clients,
and summed once more in plain Python.
"""

import itertools
from collections import defaultdict

from baffle.protocol import Client, decode_outcome, decode_plan
from baffle.protocol.codec import decode_report
from baffle.protocol.exchange import Reported, Trouble
from baffle.protocol.participants import decode_participants
from baffle.protocol.server import COUNTERS
from tests.fleet.chaos.invariant import require
from tests.fleet.chaos.signing import answer_of, ask_of
from tests.fleet.world import Backing


class Truth:
    """The record of a run.

    Args:
        world: the simulation.
        start: state before round 0.
    """

    def __init__(self, world, start):
        self._world = world
        self.states = [start]
        self.rows = []
        self._honest = defaultdict(dict)  # round: {(plan, number, tag): {health: report}}

    # --- clients

    def said(self, node, parts, answer):
        """Take note of an answer: a report must be the one that it gave before."""
        data, found = ask_of(parts), answer_of(node, parts, answer)
        if isinstance(found, Trouble):
            self._world.count(f"client.{found.reason}")
        if not isinstance(found, Reported) or data.run != self._world.genesis.run:
            return
        require(data.plan is not None, "a report, and no plan was sent")
        self._must_repeat(node, data, found.report)

    def _must_repeat(self, node, ask, report):
        key = (ask.plan, ask.client, node.tag)
        known = self._honest[decode_plan(ask.plan).round].setdefault(key, {})
        if node.said.get(key[:2]) == report:
            self._world.count("truth.same_process_again")
            return  # of the same process: its sickness may have changed meanwhile
        node.said[key[:2]] = report
        if node.health in known:
            self._world.count("truth.other_process_again")
        require(
            known.setdefault(node.health, report) == report,
            f"node {node.index} answers round {self.rounds} otherwise than before",
        )
        self._recompute(node, ask, report)

    def _recompute(self, node, ask, report):
        """Compute a report apart from the client, for some of those that can be."""
        plan, world = decode_plan(ask.plan), self._world
        known = plan.round < len(self.states) and not node.sick and not node.health[2]
        if not known or self.digests[plan.round] != plan.digest:
            return
        if world.rng.random() >= world.scenario.recomputed:
            return
        own = Backing(node.index, node.version)
        client = Client(
            ask.client, node.secret, ask.run, world.rules, own.probe, own.examples
        )  # fmt: skip
        world.count("truth.recomputed")
        again = client.answer(ask.plan, self.states[plan.round], plan.digest)
        require(again == report, f"node {node.index}: another report to the same plan")

    # --- the server

    @property
    def rounds(self):
        return len(self.rows)

    @property
    def digests(self):
        return [self._world.genesis.initial, *(row.digest for row in self.rows)]

    def stored(self, row, tags, reported, groups=None, charged=frozenset()):
        """Check a row that the ledger took; from now on it must never be lost.

        Args:
            row: as stored.
            tags: client number to tag, as the roster stood.
            reported: numbers that the coordinator counted as reported.
            groups: who was in which group, None without groups.
            charged: numbers whose sum was opened for nothing.
        """
        require(row.round == self.rounds + 1, "a round is missing or was stored twice", row.round)
        plan = decode_plan(row.plan)
        require(plan.digest == self.digests[-1], "a plan of another state")
        outcome = decode_outcome(row.outcome, plan.sums)
        numbers = decode_participants(row.participants)
        require(set(numbers) == reported | charged, "participants are not those who reported")
        numbers = tuple(n for n in numbers if n not in charged)
        state = self._world.rules.advance(self.states[-1], plan, outcome)
        require(state.digest() == row.digest, "the row's digest is not that of its outcome")
        self._must_be_sum(plan, row.plan, outcome, numbers, tags, groups)
        self.rows.append(row)
        self.states.append(state)
        self._honest.pop(row.round - 9, None)

    def _must_be_sum(self, plan, plan_bytes, outcome, numbers, tags, groups):
        honest = self._honest[plan.round]
        require(tags.keys() >= set(numbers), "someone took part who is not in the roster", numbers)
        choices = [
            list(dict.fromkeys(honest.get((plan_bytes, n, tags[n]), {}).values())) for n in numbers
        ]
        for number, choice in zip(numbers, choices, strict=True):
            require(choice, f"client {number} took part in round {plan.round} and never reported")
        found = fields_of(outcome)
        # Of a client that was sick, spoilt or given other data between two answers, either counts.
        sums = (
            summed(plan, chosen, self._world.scenario.min_reports)
            for chosen in itertools.islice(itertools.product(*choices), 4096)
        )
        require(found in sums, f"round {plan.round} is not the sum of its participants' reports")


def fields_of(outcome):
    counters = {name: getattr(outcome, name) for name in COUNTERS}
    return {
        "reports": outcome.reports,
        "weight": outcome.weight,
        "weight_squares": outcome.weight_squares,
        "values": outcome.values.tolist(),
        **counters,
    }


def summed(plan, reports, least):
    """Return an outcome's fields from encoded reports, in Python's own integers."""
    found = [decode_report(data, plan) for data in reports]
    values = [sum(r.weight * v for r, v in zip(found, column, strict=True)) for column in zip(
        *(r.values.tolist() for r in found), strict=True)]  # fmt: skip
    return {
        "reports": len(found),
        "weight": sum(r.weight for r in found),
        "weight_squares": sum(r.weight**2 for r in found),
        "values": values if len(found) >= least else [],
        **{name: sum(getattr(r, name) for r in found) for name in COUNTERS},
    }
