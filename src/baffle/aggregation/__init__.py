"""Aggregation: clients' integers to one vector."""

from __future__ import annotations

from baffle.aggregation.bounds import require_exact
from baffle.aggregation.weighted_sum import WeightedSum

__all__ = ["WeightedSum", "require_exact"]
