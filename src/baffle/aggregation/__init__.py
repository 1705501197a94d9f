"""Aggregation: clients' integers to one vector."""

from __future__ import annotations

from baffle.aggregation.bounds import require_exact
from baffle.aggregation.collecting import (
    COUNTERS,
    Collector,
    Keeping,
    Part,
    Summing,
    nothing,
    over_groups,
)
from baffle.aggregation.rules import RULES, Rule, make_rule

__all__ = [
    "COUNTERS",
    "RULES",
    "Collector",
    "Keeping",
    "Part",
    "Rule",
    "Summing",
    "make_rule",
    "nothing",
    "over_groups",
    "require_exact",
]
