"""Algorithms: named compositions of directions, estimators, quantisation and updates."""

from __future__ import annotations

from baffle.algorithms.policy import AutoPolicy
from baffle.algorithms.registry import ALGORITHMS, choices
from baffle.algorithms.schedules import SCHEDULES

__all__ = ["ALGORITHMS", "SCHEDULES", "AutoPolicy", "choices"]
