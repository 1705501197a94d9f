"""The few statistics that tables of several keys need."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SURE = 0.95  # of the interval
NONE = math.nan


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of some figures; nan if there are none."""

    median: float
    least: float
    largest: float


@dataclass(frozen=True)
class Interval:
    """A mean, and how far to each side the 95 % confidence interval reaches; nan if unknown."""

    mean: float
    half: float

    @property
    def holds_zero(self) -> bool:
        """Whether the interval holds zero."""
        return abs(self.mean) <= self.half


def spread(values: Sequence[float]) -> Spread:
    """Return median, least and largest.

    Example:
        >>> spread([3.0, 1.0, 2.0])
        Spread(median=2.0, least=1.0, largest=3.0)
    """
    if not values:
        return Spread(NONE, NONE, NONE)
    return Spread(statistics.median(values), min(values), max(values))


def interval(values: Sequence[float]) -> Interval:
    """Return the mean with Student's 95 % confidence interval; unknown below two values.

    Args:
        values: for example paired differences, one a key.

    Example:
        >>> found = interval([1.0, 2.0, 3.0])
        >>> round(found.mean, 3), round(found.half, 3)
        (2.0, 2.484)
    """
    if not values:
        return Interval(NONE, NONE)
    mean, many = statistics.fmean(values), len(values)
    if many < 2:
        return Interval(mean, NONE)
    from scipy.stats import t

    quantile = float(t.ppf((1 + SURE) / 2, many - 1))
    return Interval(mean, quantile * statistics.stdev(values) / math.sqrt(many))
