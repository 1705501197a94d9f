"""From noise and rounds to ε: Rényi accounting by `dp-accounting`, an extra of its own.

Why its Gaussian bounds hold for integers. Let N(σ²) be the discrete Gaussian and ‖s‖ ≤ Δ the shift
that one unit makes, an integer vector.

- For every order α > 1, D_α(N(σ²) + s ‖ N(σ²)) ≤ α ‖s‖²/(2σ²), the value of the continuous
  Gaussian (Canonne, Kamath and Steinke 2020). Rounds compose by addition, adaptively.
- Poisson sampling with q, integer orders: by the binomial theorem the divergence of the mixture
  from N(σ²) is a positive combination of the moments exp((j-1) D_j), j ≤ α. Each is at most its
  Gaussian value and those of j = 0, 1 are equal, so the sum is at most the Gaussian's (Mironov,
  Talwar and Zhang 2019, section 3.3). The other direction is smaller by their theorem 5, which
  needs an involution that exchanges both distributions: x → s - x, which maps the integers to
  themselves. Hence integer orders only where there is sampling.

What is not ideal is added: `CONVOLUTION` for sums of shares twice a round to ε, and the cuts of the
noise and of the sample to δ, for which a thousandth of δ is kept.

Privacy is counted by participation: a unit is charged for each round in which its client answered,
so a run's ε is that of the client which answered most often. The cohort is drawn from the public
run key and amplifies nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.errors import ConfigError
from baffle.privacy.sampling import CAP_DELTA
from baffle.privacy.shares import CONVOLUTION
from baffle.privacy.spec import require_positive

WHOLE_ORDERS = (*range(2, 33), *range(34, 65, 2), 72, 80, 96, 128, 192, 256, 384, 512, 1024)
FRACTIONS = (1.02, 1.05, *(1 + k / 10 for k in range(1, 10)), *(k / 4 for k in range(9, 40)))
RESERVE = 1e-3  # share of δ that is kept for the cuts
NOISE_DELTA = 1e-24  # 2^20 lanes, 2^20 members and noise.SAMPLING_DELTA, with room
STEP = 2.0**-10  # noise multipliers are found on this grid
MOST_NOISE = 2.0**16
MOST_ROUNDS = 10**7


def epsilon(
    noise_multiplier: float, participations: int, delta: float, sampling: float | None = None
) -> float:
    """Return ε after so many rounds.

    Args:
        noise_multiplier: z.
        participations: rounds in which the unit's client answered; of several, the most.
        delta: δ.
        sampling: q of secret Poisson sampling inside the client, else None.

    Returns:
        ε; infinity where no useful bound holds.

    Raises:
        ConfigError: an argument is out of range, or dp-accounting is not installed.
    """
    _require(noise_multiplier, delta, sampling)
    if participations < 1:
        return 0.0
    orders, each = _renyi(noise_multiplier, sampling)
    ideal, _ = _library().compute_epsilon(orders, participations * each, delta * (1 - RESERVE))
    found = float(ideal) + 2 * participations * CONVOLUTION
    return found if _cuts(found, participations, sampling) <= delta * RESERVE / 2 else math.inf


def noise_multiplier_for(
    epsilon_target: float, delta: float, participations: int, sampling: float | None = None
) -> float:
    """Return the least noise multiplier on a grid of 2^-10 that keeps ε.

    Args:
        epsilon_target: ε that must not be passed.
        delta, participations, sampling: as for `epsilon`.

    Raises:
        ConfigError: none up to 2^16 does.
    """
    require_positive("the target ε", epsilon_target)
    low, high = 0, int(MOST_NOISE / STEP)
    if epsilon(MOST_NOISE, participations, delta, sampling) > epsilon_target:
        raise ConfigError(
            f"no noise multiplier up to {MOST_NOISE:.0f} keeps ε = {epsilon_target} at δ = {delta} "
            f"over {participations} rounds"
        )
    while high - low > 1:
        middle = (low + high) // 2
        if epsilon(middle * STEP, participations, delta, sampling) <= epsilon_target:
            high = middle
        else:
            low = middle
    return high * STEP


def rounds_within(
    budget: float, noise_multiplier: float, delta: float, sampling: float | None = None
) -> int:
    """Return the most participations that keep ε within a budget, up to 10^7.

    Args:
        budget: ε that must not be passed.
        noise_multiplier, delta, sampling: as for `epsilon`.
    """
    require_positive("the budget ε", budget)
    low, high = 0, MOST_ROUNDS + 1
    while high - low > 1:
        middle = (low + high) // 2
        if epsilon(noise_multiplier, middle, delta, sampling) <= budget:
            low = middle
        else:
            high = middle
    return low


@lru_cache(maxsize=256)
def _renyi(z: float, sampling: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return orders, and one round's Rényi divergence of each."""
    library, events = _library(), _events()
    event = events.GaussianDpEvent(z)
    orders = sorted({*FRACTIONS, *WHOLE_ORDERS})
    if sampling is not None and sampling < 1:
        event, orders = events.PoissonSampledDpEvent(sampling, event), list(WHOLE_ORDERS)
    accountant = library.RdpAccountant(orders=orders)  # add or remove one: what zero-out is here
    accountant.compose(event)
    return np.asarray(orders, dtype=np.float64), np.asarray(accountant.rdp, dtype=np.float64)


def _cuts(found: float, participations: int, sampling: float | None) -> float:
    """Return what the cuts of noise and sample add to δ; infinity where ε is past all use."""
    if found > 100:
        return math.inf
    apart = participations * (NOISE_DELTA + (CAP_DELTA if sampling else 0))  # in total variation
    return apart * (1 + math.exp(found)) * (1 + RESERVE)


def _library() -> Any:
    try:
        from dp_accounting import rdp
    except ImportError as e:
        raise ConfigError("privacy accounting needs: pip install 'baffle[privacy]'") from e
    return rdp


def _events() -> Any:
    from dp_accounting import dp_event

    return dp_event


def _require(noise_multiplier: float, delta: float, sampling: float | None) -> None:
    require_positive("the noise multiplier", noise_multiplier)
    if not 0 < delta < 1:
        raise ConfigError(f"δ must lie between 0 and 1, got {delta}")
    if sampling is not None and not 0 < sampling <= 1:
        raise ConfigError(f"a sampling rate lies above 0 and up to 1, got {sampling}")
