"""Discrete Gaussian noise from a secret seed.

P[X = x] is proportional to exp(-x²/2σ²) over the integers (Canonne, Kamath and Steinke 2020). A
place x is drawn uniformly from -m … m with m = ⌈13σ⌉, and kept when a uniform U in [0, 1) lies
below exp(-x²/2σ²). That is exact rejection sampling of the distribution cut at ±m, up to:

- The cut. The discrete Gaussian is sub-Gaussian with σ², so the mass beyond 13σ is at most
  2 exp(-84.5) < 4e-37.
- U has finitely many bits. 64 of them decide; where they lie within a part in 2^40 of the float64
  threshold (whose own error is below a part in 2^43), 128 more bits and an exponential of 80 digits
  decide. So the acceptance of each x is right to 2^-192 in absolute terms, and the distribution to
  (2m + 1) 2^-192 / (2.5σ) < 1e-56.

Together less than `SAMPLING_DELTA` in total variation a draw. No other error exists: the uniform
place is drawn without a modulo bias. The draws are the same on all machines, since no result
depends on the last bits of a float64 exponential.
"""

from __future__ import annotations

import decimal
import math

import numpy as np
from numpy.typing import NDArray

from baffle.errors import ConfigError
from baffle.privacy.keystream import Keystream, require_seed

SAMPLING_DELTA = 1e-36  # total variation distance of one draw, see above
MIN_SIGMA, MAX_SIGMA = 0.5, 2.0**30
REACH = 13
MARGIN = 2.0**-40
BATCH = 2**19  # proposals at once, 8 MiB of words
MAX_COUNT = 2**26  # so that a proposal's number stays below 2^32
EXACT = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_EVEN)

Words = NDArray[np.uint64]


def noise_limit(sigma: float) -> int:
    """Return the largest absolute value of a draw, ⌈13σ⌉; the modulus of a sum needs it.

    Args:
        sigma: in steps, from 0.5 to 2^30.

    Raises:
        ConfigError: sigma is out of range.

    Example:
        >>> noise_limit(0.5), noise_limit(100.0)
        (7, 1300)
    """
    if not MIN_SIGMA <= sigma <= MAX_SIGMA:
        raise ConfigError(
            f"the noise of one share must have a σ from {MIN_SIGMA} to 2^30 steps, got {sigma}"
        )
    return math.ceil(REACH * sigma)


def discrete_gaussian(seed: bytes, sigma: float, count: int) -> NDArray[np.int64]:
    """Return independent draws, a function of the arguments; a longer call begins with the same.

    Args:
        seed: 32 secret bytes that are used for one answer only, see `derive_seed`.
        sigma: in steps, from 0.5 to 2^30.
        count: up to 2^26.

    Returns:
        int64 [count], within ±`noise_limit(sigma)`.

    Raises:
        ConfigError: an argument is out of range.

    Example:
        >>> draws = discrete_gaussian(bytes(32), 4.0, 1000)
        >>> bool(3.5 < draws.std() < 4.5)
        True
    """
    limit = noise_limit(sigma)
    require_seed(seed)
    if not 0 <= count <= MAX_COUNT:
        raise ConfigError(f"noise for 0 to 2^26 integers can be drawn at once, got {count}")
    stream = Keystream(seed, b"noise")
    kept: list[NDArray[np.int64]] = []
    missing, number = count, 0
    while missing > 0:
        size = min(BATCH, math.ceil(1.05 * missing * (2 * limit + 1) / (2.5 * sigma)) + 16)
        found = _accepted(seed, sigma, limit, number, stream.words(2 * size).reshape(size, 2))
        kept.append(found)
        missing -= len(found)
        number += size
    return np.concatenate(kept)[:count] if kept else np.zeros(0, dtype=np.int64)


def _accepted(
    seed: bytes, sigma: float, limit: int, number: int, words: Words
) -> NDArray[np.int64]:
    """Return those places that are kept, of proposals `number`, `number` + 1, … with two words."""
    width = 2 * limit + 1
    fair = words[:, 0] < 2**64 // width * width
    places = (words[:, 0] % np.uint64(width)).astype(np.int64) - limit
    chance = words[:, 1].astype(np.float64)
    scaled = places / sigma
    threshold = np.exp(-0.5 * scaled * scaled) * 2.0**64
    keep = fair & (chance + 1 <= threshold * (1 - MARGIN))
    unsure = fair & ~keep & (chance < threshold * (1 + MARGIN))
    for i in np.flatnonzero(unsure).tolist():
        keep[i] = _below(seed, sigma, int(places[i]), int(words[i, 1]), number + i)
    return places[keep]


def _below(seed: bytes, sigma: float, place: int, word: int, number: int) -> bool:
    """Return whether U, of 192 bits with `word` at its top, lies below exp(-place²/2σ²)."""
    more = Keystream(seed, b"noise more", block=number).words(2).tolist()
    u = (word << 128) | (more[0] << 64) | more[1]
    variance = EXACT.multiply(decimal.Decimal(sigma), decimal.Decimal(sigma))
    exponent = EXACT.divide(decimal.Decimal(-place * place), 2 * variance)
    return decimal.Decimal(u) < EXACT.multiply(EXACT.exp(exponent), decimal.Decimal(2**192))
