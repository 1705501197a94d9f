"""What all studies share: cells, a file of results, a runner that can be killed, tables, plots.

grid(base, key=…, bits=…)    settings to cells
Study(module, folder, …)     cells, tables and figures under one name
Results                      what is known so far; `select`, `paired`
"""

from __future__ import annotations

from experiments.harness.results import Result, Results
from experiments.harness.statistics import Interval, interval, spread
from experiments.harness.study import Cell, Study, grid, keys
from experiments.harness.tables import table

__all__ = [
    "Cell",
    "Interval",
    "Result",
    "Results",
    "Study",
    "grid",
    "interval",
    "keys",
    "spread",
    "table",
]
