"""One search for a step size, the same for every algorithm: N trials, judged by training loss.

It goes up and down by factors of eight from a start until both neighbours of the best are worse,
then by the square root of that, and so on, until the trials are spent. So it needs no knowledge of
an algorithm's scale, which between sign-like and plain steps lies orders of magnitude apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

FACTOR = 8.0
NEAR = 1.05  # steps this close are the same: they are rounded to three digits


def next_trial(losses: Mapping[float, float], start: float, trials: int) -> float | None:
    """Return the next step size to try, None when all trials are spent.

    Args:
        losses: training loss at the end of each trial so far, by step size; inf if it diverged.
        start: step size of the first trial.
        trials: N.

    Example:
        >>> next_trial({}, 0.04, 5)
        0.04
        >>> next_trial({0.04: 1.0, 0.32: 2.0}, 0.04, 5)
        0.005
    """
    if len(losses) >= trials:
        return None
    if not losses:
        return start
    best, factor = best_of(losses), FACTOR
    while True:
        for wanted in (best * factor, best / factor):
            if not _beyond(losses, best, wanted):
                return float(f"{wanted:.3g}")
        factor = math.sqrt(factor)


def best_of(losses: Mapping[float, float]) -> float:
    """Return the step size of the least loss, the smaller one of equals."""
    return min(losses, key=lambda step: (losses[step], step))


def _beyond(losses: Mapping[float, float], best: float, wanted: float) -> bool:
    """Return whether a step was tried already, or one between it and the best was, and was worse.

    Losses are taken to have one valley along the step size.
    """
    low, high = min(best, wanted), max(best, wanted)
    return any(low / NEAR < step < high * NEAR for step in losses if step != best)
