"""Estimators: losses at probe points to directional derivatives. One row an estimator.

`auto` is no row here: it is the server's choice, round by round, among these (see
`baffle.algorithms.policy`).
"""

from __future__ import annotations

from baffle.estimators.base import Derivatives, Estimator, Layout
from baffle.estimators.central import Central
from baffle.estimators.forward import Forward
from baffle.estimators.mean_baseline import MeanBaseline

ESTIMATORS: dict[str, Estimator] = {e.name: e for e in (Forward(), Central(), MeanBaseline())}
ESTIMATOR_BY_CODE: dict[int, Estimator] = {e.code: e for e in ESTIMATORS.values()}

__all__ = ["ESTIMATORS", "ESTIMATOR_BY_CODE", "Derivatives", "Estimator", "Layout"]
