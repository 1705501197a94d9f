"""What every search for a step size shares: where it begins, and what a trial tells.

Ours is divided by the scalars' standard deviation and so free of the loss's scale: a fine search
around one number finds it. What is not wants a wide one around what its authors published. The
number of trials is the same for all.

There are two searches. `drivers/local/calibrate.py` climbs by an algorithm's own factor, since a
user waits for it; `drivers/compare/tuning.py` goes by one wide factor for all, since a comparison
must not know more of one algorithm than of another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TRIAL_BIT = 2**62  # of the run key: trials see other cohorts and batches than the run
TAIL = 0.25  # share of a trial's last rounds whose losses are averaged
HORIZON = 1 / 3  # a run of T rounds wants (trial rounds / T)^(1/3) of the trial's step size


@dataclass(frozen=True)
class Tuning:
    """A search for a step size.

    Args:
        start: the first that is tried.
        factor: between neighbours in a calibration; comparisons have one of their own.
    """

    start: float = 0.04
    factor: float = 2.0


OURS = Tuning()
TUNINGS: dict[str, Tuning] = {
    "mezo": Tuning(1e-3, 4.0),
    "decomfl": Tuning(1e-3, 4.0),
}


def trial_key(key: int) -> int:
    """Return the run key of a run's trials.

    Example:
        >>> trial_key(trial_key(7)), trial_key(7) == 7
        (7, False)
    """
    return key ^ TRIAL_BIT


def end_loss(losses: Sequence[float | None]) -> float:
    """Return the training loss at a trial's end: the mean over its last quarter.

    Args:
        losses: of its rounds; None for a round without one.

    Returns:
        Infinity if one of them is not finite.

    Example:
        >>> end_loss([4.0, 3.0, 2.0, 1.0]), end_loss([1.0, None])
        (1.0, inf)
    """
    tail = [math.nan if x is None else x for x in losses[-max(1, round(TAIL * len(losses))) :]]
    mean = sum(tail) / len(tail)
    return mean if math.isfinite(mean) else math.inf


def for_length(step: float, trial_rounds: int, rounds: int) -> float:
    """Return the step size of a run of T rounds whose trials of t rounds prefer `step`.

    It is step·(t/T)^(1/3), to three digits. Source: Bjorck et al., "Scaling Optimal LR Across Token
    Horizons" (2024), found for Adam; it is applied to every algorithm alike.

    Example:
        >>> for_length(0.08, 10, 80), for_length(0.08, 10, 5)
        (0.04, 0.08)
    """
    return float(f"{step * (trial_rounds / max(trial_rounds, rounds)) ** HORIZON:.3g}")
