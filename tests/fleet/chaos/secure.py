"""Secure sums under faults: the ledger holds what was put under masks, and no more was opened."""

from collections import defaultdict

from baffle.aggregation import COUNTERS
from baffle.protocol import decode_plan
from baffle.protocol.exchange import Masked, Trouble
from baffle.secagg import SecureSpec, parameters
from baffle.secagg.wire import MASK_ASK, UNMASK_ANSWER, UNMASK_ASK
from tests.fleet.chaos.invariant import require
from tests.fleet.chaos.signing import answer_of, ask_of
from tests.fleet.chaos.truth import Truth, fields_of

SPEC = SecureSpec(min_group=3, collusion=0.05, dropout=0.3)


def sections(seed):
    """Return a seed's settings of secure sums: one group, or as many as there can be."""
    secure = {"sums": True, "min_group": SPEC.min_group, "dropout": SPEC.dropout}
    return {"secure": secure, "groups": {"number": seed % 2}}


class SecureTruth(Truth):
    """The record of a run with secure sums."""

    def __init__(self, world, start):
        super().__init__(world, start)
        self._vectors = defaultdict(dict)  # round: {(plan, number, tag): [vector, …]}
        self._opened = defaultdict(set)  # (node, 8 bytes of a view): lists that it answered for

    def said(self, node, parts, answer):
        """Take note of what left a client."""
        ask, found = ask_of(parts), answer_of(node, parts, answer)
        if isinstance(found, Trouble):
            self._world.count(f"client.{found.reason}")
        if not isinstance(found, Masked) or ask.run != self._world.genesis.run:
            return
        if ask.sums[0][0] == MASK_ASK:
            self._masked(node, ask)
        if ask.sums[0][0] == UNMASK_ASK and found.messages[0][0] == UNMASK_ANSWER:
            self._world.count("truth.opened")
            lists = self._opened[node.index, ask.sums[0][2:10]]
            lists.add(ask.sums[0][10:])
            require(len(lists) == 1, f"node {node.index} opened a sum for two lists of clients")

    def _masked(self, node, ask):
        """A vector that left twice is the same one: another one would show their difference."""
        key = (ask.plan, ask.client, node.tag)
        vector = node.process.vectors[ask.plan]
        known = self._vectors[decode_plan(ask.plan).round].setdefault(key, [])
        require(known in ([], [vector]), f"node {node.index} masked two vectors in one round")
        self._world.count("truth.masked_again" if known else "truth.masked")
        known[:] = [vector]

    def _must_be_sum(self, plan, plan_bytes, outcome, numbers, tags, groups):
        known = self._vectors.pop(plan.round, {})
        values, counters, few = [], [0] * (2 + len(COUNTERS)), 0
        for members in groups.members:
            own = sorted(set(members) & set(numbers))
            few += self._too_few(own, len(members))
            rows = [known.get((plan_bytes, n, tags[n])) for n in own]
            require(all(rows), f"someone took part in round {plan.round} and masked no vector", own)
            total = [sum(column) for column in zip(*(r[0] for r in rows), strict=True)]
            total = total or [0] * (plan.count + len(counters))
            values += total[: plan.count]
            counters = [a + b for a, b in zip(counters, total[plan.count :], strict=True)]
        require(not few, f"round {plan.round} has the sum of too few clients")
        weight, squares, *rest = counters
        enough = len(numbers) >= self._world.scenario.min_reports and numbers
        expected = {
            "reports": len(numbers),
            "weight": weight,
            "weight_squares": squares,
            "values": values if enough else [],
            **dict(zip(COUNTERS, rest, strict=True)),
        }
        require(fields_of(outcome) == expected, f"round {plan.round} is not the sum of its vectors")
        self._world.count(f"truth.groups_{len(groups)}")

    @staticmethod
    def _too_few(own, members):
        """Return whether a group's sum was opened that has fewer parts than its clients allow."""
        if members < SPEC.min_group:
            return bool(own)
        return 0 < len(own) < parameters(members, SPEC).least
