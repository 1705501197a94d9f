"""Several algorithms at an equal resource: what to run next, in processes that may be killed."""

from __future__ import annotations

from baffle.drivers.compare.cells import Cell, pending, total_cells
from baffle.drivers.compare.resources import RESOURCES, costs_of, parse_budget
from baffle.drivers.compare.spec import Comparison, Contender
from baffle.drivers.compare.store import Store

__all__ = [
    "RESOURCES",
    "Cell",
    "Comparison",
    "Contender",
    "Store",
    "costs_of",
    "parse_budget",
    "pending",
    "total_cells",
]
