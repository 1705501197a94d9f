"""Which of its examples a client takes: a Poisson sample, secret from everyone else.

Each example is taken with probability q on its own, by words from the client's secret seed. That is
what amplification by sampling rests on; the Philox client key, from which rounding and augmentation
come, may be known to others. A neighbouring history lacks one example's contribution and has all
others at their places, so one coin more or less changes no other coin.

A sum of integers needs a bound, so at most `sample_cap` examples are taken. More are drawn with
probability below `CAP_DELTA`, which the accountant adds to δ.
"""

from __future__ import annotations

import decimal

import numpy as np
from numpy.typing import NDArray

from baffle.errors import ConfigError
from baffle.privacy.keystream import Keystream

CAP_DELTA = 1e-20  # probability of one round that a sample is cut
EXACT = decimal.Context(prec=50)


def sample_cap(expected: int) -> int:
    """Return the most examples that a client takes, for an expected number of them.

    The least m with e^(a-μ) (μ/a)^a ≤ CAP_DELTA for a = m + 1: Chernoff's bound on a sum of
    independent coins of mean at most μ. Computed in decimals, so that all machines agree.

    Args:
        expected: μ, from 1 to 2^20.

    Example:
        >>> sample_cap(8), sample_cap(64)
        (48, 154)
    """
    if not 1 <= expected <= 2**20:
        raise ConfigError(f"the expected number of examples lies in 1 to 2^20, got {expected}")
    low, high = expected, 64 * (expected + 1)
    while high - low > 1:
        middle = (low + high) // 2
        if _rare(expected, middle + 1):
            high = middle
        else:
            low = middle
    return high


def _rare(expected: int, beyond: int) -> bool:
    """Return whether `beyond` coins or more fall with a probability below CAP_DELTA."""
    mean, a = decimal.Decimal(expected), decimal.Decimal(beyond)
    logarithm = EXACT.add(a - mean, EXACT.multiply(a, EXACT.ln(EXACT.divide(mean, a))))
    return logarithm <= EXACT.ln(decimal.Decimal(str(CAP_DELTA)))


def sampling_rate(spec_rate: float, examples: int, expected: int) -> float:
    """Return one client's q: the promised one, or less so that no more than B are expected.

    Args:
        spec_rate: the promised largest q.
        examples: of this client.
        expected: B.

    Example:
        >>> sampling_rate(0.1, examples=40, expected=8), sampling_rate(0.1, 800, 8)
        (0.1, 0.01)
    """
    return min(spec_rate, expected / examples)


def poisson_sample(seed: bytes, examples: int, rate: float, most: int) -> NDArray[np.int64]:
    """Return the numbers of the examples that are taken, ascending.

    Args:
        seed: 32 secret bytes that are used for one answer only, see `derive_seed`.
        examples: how many there are, up to 2^26.
        rate: q; the chance is rounded down to a multiple of 2^-64.
        most: no more are taken; those with the least numbers stay.

    Returns:
        int64 [m], with m from 0 to `most`.

    Example:
        >>> poisson_sample(bytes(32), examples=5, rate=1.0, most=5).tolist()
        [0, 1, 2, 3, 4]
    """
    if not 0 <= rate <= 1:
        raise ConfigError(f"a sampling rate lies in 0 to 1, got {rate}")
    if not 0 <= examples <= 2**26:
        raise ConfigError(f"a client samples from 0 to 2^26 examples, got {examples}")
    words = Keystream(seed, b"sample").words(examples)
    threshold = int(rate * 2.0**64)  # exact: a product with a power of two
    taken = np.ones(examples, dtype=bool) if threshold >= 2**64 else words < np.uint64(threshold)
    return np.flatnonzero(taken)[:most].astype(np.int64)
