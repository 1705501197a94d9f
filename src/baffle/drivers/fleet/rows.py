"""A fleet's figures, a row a round: what plan and outcome tell, and what the network did."""

from __future__ import annotations

import math
from typing import Any

from baffle.drivers.local.metrics import MetricsLog, Row, round_row
from baffle.fleet.round import OpenRound, mean_evaluation
from baffle.fleet.tally import Tally
from baffle.ledger import Ledger
from baffle.ledger.replay import decode_row
from baffle.protocol import Closed, Genesis, Outcome, Plan
from baffle.protocol.contribution import noise_variance
from baffle.protocol.steps import evaluations

ALL = 2**32 - 1  # more examples than a batch or its candidates
TOTALS = ("probes", "example_evaluations", "seconds", "bytes_up", "bytes_down", "catch_up_bytes")


class Book:
    """Running totals and the log of a run.

    Args:
        log: metrics of the run folder.
        dimension: entries that the directions move.
        batch: examples a client probes on at most; 0 for all it has.
        genesis: of the run, whose promise tells of noise in the sums.
    """

    def __init__(self, log: MetricsLog, dimension: int, batch: int, genesis: Genesis) -> None:
        self.log, self._dimension, self._batch = log, dimension, batch
        self._genesis = genesis
        last = log.rows[-1] if log.rows else {}
        self._totals: dict[str, float] = {name: last.get(name) or 0 for name in TOTALS}
        self._faults: dict[str, int] = dict(last.get("faults", {}))
        self._seen = Tally()

    def catch_up(self, ledger: Ledger) -> None:
        """Add rows that a crash kept from the log; what only the network knew is lost with it."""
        known = self.log.rows[-1]["round"] if self.log.rows else ledger.first_round - 1
        if known >= ledger.last_round:
            return
        for stored in ledger.rows(known + 1, ledger.last_round):
            last = decode_row(stored)
            self._probes(last.plan, last.outcome)
            self.log.add(
                self._row(last.plan, last.outcome)
                | {"digest": stored.digest.hex(), "seconds_known": False}
            )

    def add(
        self, closed: Closed, done: OpenRound, reason: str, tally: Tally, seconds: float
    ) -> Row:
        """Return the row of a stored round, not yet in the log.

        Args:
            closed, done: the round.
            reason: why it was closed.
            tally: of the server since it started.
            seconds: that the round took.
        """
        self._probes(closed.plan, closed.outcome)
        self._totals["seconds"] += seconds
        self._take(tally)
        return (
            self._row(closed.plan, closed.outcome)
            | {
                "asked": len(done.asked),
                "smallest_sum": closed.smallest_sum,
                "late": done.late,
                "missing": done.missing,
                "deadline_hit": reason == "deadline",
                "round_seconds": seconds,
                "digest": closed.digest.hex(),
            }
            | self._evaluations(closed.plan, done)
        )

    @staticmethod
    def _evaluations(plan: Plan, done: OpenRound) -> dict[str, float]:
        """Return what clients found, and the round of the state that it is about."""
        found = mean_evaluation(done.evaluations)
        return {"client_round": plan.round} | found if found else {}

    def _probes(self, plan: Plan, outcome: Outcome) -> None:
        """Count what the reports cost at most: a client may have fewer examples than a batch."""
        self._totals["probes"] += plan.probes * outcome.reports
        many = evaluations(plan, ALL) if plan.batch else 0
        self._totals["example_evaluations"] += many * outcome.reports

    def _take(self, tally: Tally) -> None:
        """Add what the tally counted since it was last looked at."""
        seen = self._seen
        self._totals["bytes_up"] += tally.bytes_up - seen.bytes_up
        self._totals["bytes_down"] += tally.bytes_down - seen.bytes_down
        self._totals["catch_up_bytes"] += tally.catch_up - seen.catch_up
        for reason, count in tally.faults.items():
            new = count - seen.faults[reason]
            self._faults[reason] = self._faults.get(reason, 0) + new
        self._seen = Tally(tally.faults.copy(), tally.bytes_up, tally.bytes_down, tally.catch_up)

    def _row(self, plan: Plan, outcome: Outcome) -> dict[str, Any]:
        spec, reports = self._genesis, outcome.reports
        noise = noise_variance(plan, spec.secure, spec.privacy, reports, reports)
        row = round_row(plan, outcome, self._dimension, noise)
        if not outcome.reports:
            row["loss"] = math.nan
        faults = {name: n for name, n in sorted(self._faults.items()) if n}
        # Who probes on all that it has does not say how much that is.
        unknown = {} if self._batch else {"example_evaluations": math.nan}
        return row | {"dimension": self._dimension, "faults": faults} | self._totals | unknown
