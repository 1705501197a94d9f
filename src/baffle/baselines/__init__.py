"""What users compare with: backpropagation and other ways by forward passes, on plain floats.

    BASELINES            name -> row: choices of settings, and where its class lies
    Problem              a model and a loss as functions of one vector of weights
    Server               mean of the answers, the optimiser's step, the average of the weights

They share data, cohorts, models and run folders with `baffle`, but keep no ledger: a mean of floats
depends on its order, so nothing could be replayed bit for bit elsewhere.
"""

from __future__ import annotations

from baffle.baselines.base import CLIENTS, SERVER, Answer, Baseline, Knobs, Work
from baffle.baselines.registry import BASELINES, Row, row_of

__all__ = [
    "BASELINES",
    "CLIENTS",
    "SERVER",
    "Answer",
    "Baseline",
    "Knobs",
    "Row",
    "Work",
    "row_of",
]
