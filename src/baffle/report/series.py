"""A run's figures as points of curves: rounds and three costs along, accuracy and loss up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.drivers.local.metrics import Row
from baffle.report.units import COUNT_UNITS, HOUR, MINUTE, scale

Array = NDArray[np.float64]
COUNT_WORDS = {"": "", "k": "thousand ", "M": "million ", "G": "billion ", "T": "trillion "}
BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")
SMOOTHED_OVER = 40  # a mean is over a fortieth of the rounds


@dataclass(frozen=True)
class Cost:
    """An axis along which training goes on.

    Args:
        against: how a panel's title names it.
        value: a row's running total, nan if the row does not say.
        unit: a total to (divisor, axis label) that suit it.
    """

    against: str
    value: Callable[[Row], float]
    unit: Callable[[float], tuple[float, str]]


def _figure(name: str) -> Callable[[Row], float]:
    def value(row: Row) -> float:
        found = row.get(name)
        return math.nan if found is None else float(found)

    return value


def _traffic(row: Row) -> float:
    return _figure("bytes_up")(row) + _figure("bytes_down")(row)


def _evaluations_unit(total: float) -> tuple[float, str]:
    factor, unit = scale(total, COUNT_UNITS)
    return factor, f"{COUNT_WORDS[unit]}example evaluations"


def _traffic_unit(total: float) -> tuple[float, str]:
    factor, unit = scale(total, BYTE_UNITS)
    return factor, f"{unit}, up and down, all clients"


def _time_unit(total: float) -> tuple[float, str]:
    if total < 5 * MINUTE:
        return 1.0, "seconds"
    return (MINUTE, "minutes") if total < 3 * HOUR else (HOUR, "hours")


ROUNDS = Cost("round by round", _figure("round"), lambda total: (1.0, "rounds"))
COSTS = (
    Cost("against computation", _figure("example_evaluations"), _evaluations_unit),
    Cost("against traffic", _traffic, _traffic_unit),
    Cost("against time", _figure("seconds"), _time_unit),
)


def points(rows: Sequence[Row], cost: Cost, figure: str) -> tuple[Array, Array]:
    """Return the x and y of a curve, without the rounds where either is not known.

    Args:
        rows: of one run.
        cost: what x is.
        figure: a row's name for y.

    Example:
        >>> points([{"round": 1, "loss": 2.3}, {"round": 2, "loss": None}], ROUNDS, "loss")
        (array([1.]), array([2.3]))
    """
    value = _figure(figure)
    found = np.array([(cost.value(row), value(row)) for row in rows], dtype=float).reshape(-1, 2)
    kept = found[np.isfinite(found).all(axis=1)]
    return kept[:, 0], kept[:, 1]


def smoothed(values: Array) -> Array:
    """Return the moving mean over a fortieth of the values, narrower towards both ends.

    Example:
        >>> smoothed(np.array([1.0, 5.0]))  # too few to smooth
        array([1., 5.])
    """
    half = len(values) // (2 * SMOOTHED_OVER)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    index = np.arange(len(values))
    reach = np.minimum(half, np.minimum(index, len(values) - 1 - index))
    return (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1)
