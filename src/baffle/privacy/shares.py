"""Noise in shares: what each member adds, so that no sum that is opened has too little of it.

Among those whose vectors a revealed sum holds, at least g are honest: the least survivors that the
server may open, less those that may collude. Each member draws its share with σ_s = σ/√g. The
noise of g honest shares alone then has the variance σ². What further members add is independent of
everything, so it is post-processing and costs no privacy; what colluding members know of their own
noise does not count.

A sum of discrete Gaussians is not quite a discrete Gaussian. Kairouz, Liu and Steinke 2021 (The
distributed discrete Gaussian mechanism, theorem 1): for σ_s ≥ 1/2 the logarithm of the ratio
between the probabilities of the sum of g and of one discrete Gaussian of variance g σ_s² is
nowhere more than

    τ = 10 Σ_{k=1}^{g-1} exp(-2π² σ_s² k/(k+1)).

Over L lanes that is L τ, which may enter a round's ε twice. We refuse shares for which L τ is not
below `CONVOLUTION` and the accountant adds 2 · `CONVOLUTION` a round.
"""

from __future__ import annotations

import math
from fractions import Fraction

from baffle.errors import ConfigError
from baffle.privacy.noise import noise_limit

CONVOLUTION = 1e-12
LEAST_SIGMA = 0.5  # of a share, for which the theorem holds
TERMS = 64


def guaranteed_members(least: int, colluding: int) -> int:
    """Return how many honest shares each opened sum holds at least.

    Args:
        least: fewest survivors with which a sum may be opened; 1 where the server sees every
            answer alone.
        colluding: most members that may tell others their noise. Every client reads the sums and
            knows its own noise, so this is at least 1 where clients are not to learn of each other.

    Raises:
        ConfigError: none would be left.

    Example:
        >>> guaranteed_members(least=9, colluding=1)
        8
    """
    if least - colluding < 1 or colluding < 0:
        raise ConfigError(
            f"privacy noise comes in shares of honest members: of {least} members that a sum may "
            f"be opened with, {colluding} may collude, and none is left; raise the least number"
        )
    return least - colluding


def convolution_correction(sigma: float, members: int) -> float:
    """Return τ for a sum of this many discrete Gaussians of σ ≥ 1/2, or a little more.

    Example:
        >>> convolution_correction(2.0, 10) < 1e-15
        True
    """
    rate = 2 * math.pi**2 * sigma**2
    terms = min(members - 1, TERMS)
    total = sum(math.exp(-rate * k / (k + 1)) for k in range(1, terms + 1))
    # The terms fall with k, so the last one bounds those that are left out.
    rest = (members - 1 - terms) * math.exp(-rate * TERMS / (TERMS + 1))
    return 10 * (total + rest)


def share_sigma(total_sigma: float, guaranteed: int, lanes: int) -> float:
    """Return the σ of one member's share, rounded up, the same float64 on all machines.

    Args:
        total_sigma: σ that every opened sum must have, in steps.
        guaranteed: honest members in it at least.
        lanes: integers that get noise.

    Raises:
        ConfigError: the share is so small that a sum of shares is no discrete Gaussian.

    Example:
        >>> share_sigma(100.0, 4, lanes=64)
        50.0
    """
    share = total_sigma / math.sqrt(guaranteed)
    while guaranteed * Fraction(share) ** 2 < Fraction(total_sigma) ** 2:
        share = math.nextafter(share, math.inf)
    if share < LEAST_SIGMA:
        raise ConfigError(
            f"noise of σ = {total_sigma:.3g} steps in {guaranteed} shares leaves each with "
            f"{share:.2g}, and a share has {LEAST_SIGMA} at least: use more bits, so that the clip "
            "norm is more steps, or more noise"
        )
    noise_limit(share)  # refuses what cannot be drawn
    off = lanes * convolution_correction(share, guaranteed)
    if off > CONVOLUTION:
        raise ConfigError(
            f"noise of σ = {total_sigma:.6g} steps in {guaranteed} shares leaves each with "
            f"{share:.3g} steps; the sum over {lanes} integers would differ from a discrete "
            f"Gaussian by {off:.2g}, and at most {CONVOLUTION} is allowed: use more bits, so that "
            "the clip norm is more steps, or more noise"
        )
    return share
