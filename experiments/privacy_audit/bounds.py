"""From scores to a lower bound on ε.

(ε, δ) privacy means P[S | one] ≤ e^ε P[S | other] + δ for every event S, both ways. So an event
with rates p and r proves ε ≥ log((p - δ)/r). We take "score above t" and "score below t", choose
the event and t on one half of the trials, and count on the other half, with Clopper-Pearson bounds
on both rates that hold together with 95 % confidence (Jagielski, Ullman and Oprea 2020; Nasr et al.
2021). That holds for any mechanism.

A Gaussian mechanism is described by one number μ (Dong, Roth and Su 2019). Where there is no
sampling ours is one, and rates prove μ, and μ an ε (Nasr et al. 2023): a closer bound, and true
only if the mechanism is what it should be.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SURE = 0.95
LEAST_COUNT = 50  # a threshold that fewer pass was chosen by luck, and the held half shows it

Floats = NDArray[np.float64]


def clopper_pearson(count: int, trials: int) -> tuple[float, float]:
    """Return lower and upper bound on a rate, each wrong with a chance of (1 - SURE) / 2.

    Example:
        >>> low, high = clopper_pearson(5, 10)
        >>> round(low, 3), round(high, 3)
        (0.187, 0.813)
    """
    from scipy.stats import beta

    tail = (1 - SURE) / 2
    low = float(beta.ppf(tail, count, trials - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - tail, count + 1, trials - count)) if count < trials else 1.0
    return low, high


def audited(with_unit: Floats, without: Floats, delta: float) -> tuple[float, float]:
    """Return lower bounds on ε: of any mechanism, and of a Gaussian one.

    Args:
        with_unit, without: scores of trials, as many of each.
        delta: δ.
    """
    half = len(with_unit) // 2
    fit, held = (with_unit[:half], without[:half]), (with_unit[half:], without[half:])
    turned = [tuple(-scores for scores in reversed(pair)) for pair in (fit, held)]
    above, below = _threshold(*fit, delta), _threshold(*turned[0], delta)
    if above[1] >= below[1]:
        general = _proven(*held, above[0], delta)
    else:
        general = _proven(*turned[1], below[0], delta)
    return max(0.0, general), _gaussian(*fit, *held, delta)


def _threshold(one: Floats, other: Floats, delta: float) -> tuple[float, float]:
    """Return the t whose event "above t" proves most, and what it proves, on these scores."""
    n, one, other = len(one), np.sort(one), np.sort(other)
    places = np.unique(np.geomspace(LEAST_COUNT, n // 2, 200).astype(int))
    thresholds = other[n - places]
    hits = n - np.searchsorted(one, thresholds)
    proven = [_epsilon(int(h), int(p), n, delta) for h, p in zip(hits, places, strict=True)]
    best = int(np.argmax(proven))
    return float(thresholds[best]), proven[best]


def _proven(one: Floats, other: Floats, t: float, delta: float) -> float:
    return _epsilon(int(np.sum(one >= t)), int(np.sum(other >= t)), len(one), delta)


def _epsilon(hits: int, false: int, trials: int, delta: float) -> float:
    low, high = clopper_pearson(hits, trials)[0], clopper_pearson(false, trials)[1]
    return math.log((low - delta) / high) if low > delta else -math.inf


def _gaussian(
    fit_one: Floats, fit_other: Floats, one: Floats, other: Floats, delta: float
) -> float:
    """Return the ε of the μ that the rates at the middle of both score distributions prove."""
    t = 0.5 * (fit_one[len(fit_one) // 2] + fit_other[len(fit_other) // 2])
    missed = clopper_pearson(int(np.sum(one < t)), len(one))[1]
    false = clopper_pearson(int(np.sum(other >= t)), len(other))[1]
    from scipy.stats import norm

    return gaussian_epsilon(float(norm.isf(false) - norm.ppf(missed)), delta)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Return the ε at δ of a mechanism that is as private as telling N(0, 1) from N(μ, 1).

    Example:
        >>> round(gaussian_epsilon(1.0, 1e-5), 2)
        4.38
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def excess(e: float) -> float:
        first = norm.cdf(mu / 2 - e / mu)
        return float(first - math.exp(e + norm.logcdf(-mu / 2 - e / mu)) - delta)

    if mu <= 0 or excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, 10 * mu * mu + 40 * mu))
