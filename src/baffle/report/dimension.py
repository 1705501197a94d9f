"""The dimension back from a run's figures: they hold it, though no column names it.

A row's expected cosine is √(s · K/(K + d)) with s the signal's share of the mean square; s is
r/(1 + r) by the signal-to-noise ratio r, or 1 where r is not known (one report, or no noise).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from baffle.drivers.local.metrics import Row


def dimension_of(rows: Sequence[Row]) -> int | None:
    """Return d, entries that the directions move; None if no round had any signal.

    Args:
        rows: of one run.

    Example:
        >>> dimension_of([{"expected_cosine": 0.5, "signal_to_noise": None, "num_directions": 100}])
        300
    """
    found = [d for row in rows if (d := _from_row(row)) is not None]
    return round(median(found)) if found else None


def _from_row(row: Row) -> float | None:
    cosine, ratio = row.get("expected_cosine"), row.get("signal_to_noise")
    if not cosine:
        return None
    share = 1.0 if ratio is None else ratio / (1 + ratio)
    return row["num_directions"] * (share / cosine**2 - 1)
