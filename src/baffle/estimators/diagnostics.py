"""How good a round's estimate is, from the sums alone: signal-to-noise ratio and expected cosine.

Client c's derivatives are those of its own batch's gradient g + n_c. With M the mean square of the
averaged derivatives and E the clients' mean of their own mean squares,
    E = |g|² + v,    M = |g|² + v/N,    N = W²/Σw² effective clients,
so that |g|² and v, and from them the ratio |g|²/(v/N), need no single client's report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """Figures of one round.

    Args:
        signal_to_noise: |g|² over the variance that the clients' batches leave in the average; nan
            with one report.
        expected_cosine: between the estimate and the gradient of all clients' data,
            √(|g|²/M · K/(K + d)).
        derivative_rms: root mean square of the averaged derivatives.
    """

    signal_to_noise: float
    expected_cosine: float
    derivative_rms: float


def quality(
    mean_square: float,
    client_mean_square: float,
    effective: float,
    num_directions: int,
    dimension: int,
    added: float = 0.0,
) -> Quality:
    """Return the figures of a round.

    Args:
        mean_square: M, of the averaged derivatives.
        client_mean_square: E.
        effective: N.
        num_directions: K.
        dimension: d.
        added: variance of noise that was added for privacy, in the averaged derivatives. Where
            there is some, E is not known, and the ratio is that of |g|² and what the batches leave
            together to this noise.

    Example:
        >>> round(quality(1.0, 1.0, 4, num_directions=100, dimension=300).expected_cosine, 2)
        0.5
    """
    share = num_directions / (num_directions + dimension)
    rms = math.sqrt(mean_square)
    if not mean_square:
        return Quality(math.nan, 0.0, rms)
    if added:
        signal = max(0.0, mean_square - added)
        return Quality(signal / added, math.sqrt(signal / mean_square * share), rms)
    if effective <= 1:
        return Quality(math.nan, math.sqrt(share), rms)
    noise = max(0.0, (client_mean_square - mean_square) / (effective - 1))
    signal = max(0.0, mean_square - noise)
    ratio = signal / noise if noise else math.inf
    return Quality(ratio, math.sqrt(signal / mean_square * share), rms)
