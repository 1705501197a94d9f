"""The decoders of binary messages: plan, report, outcome, participants."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from baffle.protocol import (
    Outcome,
    Plan,
    Report,
    decode_outcome,
    decode_plan,
    decode_report,
    encode_outcome,
    encode_plan,
    encode_report,
)
from baffle.protocol.participants import MAX_CLIENT, decode_participants, encode_participants
from baffle.quantisation import Quantiser
from tools.fuzz import messages
from tools.fuzz.draws import Draws
from tools.fuzz.mutations import Sample
from tools.fuzz.target import Bytes, Case, differing

PLAN_FIELDS = (
    (18, 4), (22, 8), (62, 4), (66, 2), (68, 1), (69, 2), (71, 1), (72, 4), (76, 1), (77, 1),
    (78, 1), (79, 4), (83, 1), (84, 4), (88, 8), (96, 8), (104, 2),
)  # fmt: skip
REPORT_FIELDS = (
    (10, 4), (14, 4), (18, 4), (22, 4), (26, 4), (30, 4), (34, 4), (38, 6), (44, 6), (50, 6),
)  # fmt: skip
OUTCOME_FIELDS = (
    (18, 4), (22, 4), (26, 8), (34, 8), (42, 8), (50, 8), (58, 8), (66, 8), (90, 1), (91, 4),
)  # fmt: skip


class Plans(Bytes):
    """`decode_plan`."""

    name = "plan"

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a plan; a large one is followed by radii of 65,535 tensors."""
        data = encode_plan(messages.plan(draws))
        if large:
            data = data[:104] + b"\xff\xff" + b"\1" * (2**16 - 1)
        return Sample(data, PLAN_FIELDS), None

    def decode(self, case: Case) -> Plan:
        """Call it."""
        return decode_plan(case.data)

    def wrong(self, case: Case, value: Plan) -> str | None:
        """Check ranges and encoding."""
        return differing(
            {
                "encoding": encode_plan(value) == case.data,
                "count": 1 <= value.count <= 2**24,
                "bits": 1 <= value.bits <= 24,
                "pairs": 0 <= value.pairs <= value.num_directions,
                "density": 1 <= value.density_steps <= 2**16,
                "step": -126 <= value.step_exponent <= 126,
                "sizes": 0 <= value.step_size < np.inf and 0 <= value.local_factor < np.inf,
                "codes": (value.kind.code, value.estimator.code)
                == (value.kind_code, value.estimator_code),
                "cap": value.weight_cap >= 1,
            }
        )


class Reports(Bytes):
    """`decode_report`, told the plan."""

    name = "report"
    slope = 96  # an integer of one bit becomes 8 bytes
    constant = 1 << 20  # the bits of 4,096 integers are spread out at once

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return a report and its plan."""
        plan = messages.plan(draws, large)
        data = encode_report(messages.report(draws, plan), plan.bits)
        return Sample(data, REPORT_FIELDS), plan

    def decode(self, case: Case) -> Report:
        """Call it."""
        return decode_report(case.data, case.about)

    def wrong(self, case: Case, value: Report) -> str | None:
        """Check ranges and encoding."""
        plan: Plan = case.about
        cap = plan.weight_cap if plan.weighting == "examples" else 1
        return differing(
            {
                "encoding": encode_report(value, plan.bits) == case.data,
                "count": len(value.values) == plan.count,
                "values": int(np.abs(value.values).max()) <= Quantiser(plan.bits, 0).limit,
                "weight": 1 <= value.weight <= cap,
                "counts": value.clips <= plan.count and value.nonfinite <= plan.count,
            }
        )


class Outcomes(Bytes):
    """`decode_outcome`, told how many integers."""

    name = "outcome"
    slope = 96
    constant = 1 << 20

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return an outcome and the number of integers asked for."""
        plan = messages.plan(draws, large)
        return Sample(encode_outcome(messages.outcome(draws, plan)), OUTCOME_FIELDS), plan.count

    def decode(self, case: Case) -> Outcome:
        """Call it."""
        return decode_outcome(case.data, case.about)

    def wrong(self, case: Case, value: Outcome) -> str | None:
        """Check ranges and encoding."""
        return differing(
            {
                "encoding": encode_outcome(value) == case.data,
                "count": len(value.values) in (0, case.about),
                "sum of nothing": value.abandoned or (value.reports > 0 and value.weight > 0),
            }
        )


class Participants(Bytes):
    """`decode_participants`."""

    name = "participants"
    slope = 96  # a byte becomes an int object and two places in a list and a tuple

    def sample(self, draws: Draws, large: bool) -> tuple[Sample, Any]:
        """Return some clients, seldom thousands of them."""
        numbers = messages.participants(draws, 20_000 if large else draws.below(60))
        return Sample(encode_participants(numbers), header=0), None

    def decode(self, case: Case) -> tuple[int, ...]:
        """Call it."""
        return decode_participants(case.data)

    def wrong(self, case: Case, value: tuple[int, ...]) -> str | None:
        """Check order, range and encoding."""
        return differing(
            {
                "encoding": encode_participants(value) == case.data,
                "order": all(a < b for a, b in pairwise(value)),
                "range": not value or 0 <= value[0] <= value[-1] <= MAX_CLIENT,
            }
        )
