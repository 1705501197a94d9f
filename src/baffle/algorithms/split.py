"""Many directions on few examples, or the other way round: K and B at constant K·B.

A round's estimate from K directions has the squared error d/K, relative to |g|², and what the
clients' batches leave in their average adds 1/SNR, the noise-to-signal ratio. At constant K·B = E
the first is d·B/E and the second goes with 1/B. But they do not hurt alike: the directions' error
is spread over all entries, the batches' lies where the loss is curved most, and counts κ times.
Then a·B + κ·c/B is least at

    B* = B √(κ K / (d · SNR)).

Early in training the directions are what is missing, late the examples.
Source: experiments/fewer: on the digits κ = 1 lost to batches of four to thirty times the size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from baffle.estimators.diagnostics import quality
from baffle.protocol import Last

STICK = 0.75  # of an octave: a smaller move would be noise
WORSE = 8  # κ


@dataclass(frozen=True)
class Split:
    """Chooses between the split that was set and the one with a single example.

    Args:
        evaluations: K·B, example evaluations of a client in a local step.
        most: the largest B, so that no client is asked for more examples than was set.
        dimension: d, entries that the directions move.
    """

    evaluations: int
    most: int
    dimension: int

    def choose(self, last: Last) -> tuple[int, int]:
        """Return K and B after a round: the same, or an octave further."""
        batch, ratio = last.plan.batch, noise_to_signal(last)
        if ratio is not None:
            share = WORSE * self.evaluations / batch / self.dimension  # κ K/d
            batch = _moved(batch, 0.5 * math.log2(max(ratio, 2.0**-40) * share))
        batch = max(1, min(batch, self.most))
        return self.evaluations // batch, batch


def noise_to_signal(last: Last) -> float | None:
    """Return 1/SNR of a round's averaged derivatives; None where it cannot be told.

    Inf where no signal stands out.
    """
    plan, outcome = last.plan, last.outcome
    if outcome.abandoned or not outcome.energy or not outcome.weight_squares:
        return None
    clients = outcome.weight**2 / outcome.weight_squares / plan.sets
    weight = outcome.weight / plan.sets
    mean_square = float((outcome.values.astype(float) ** 2).mean()) / weight**2
    own = outcome.mean_energy(outcome.energy)
    ratio = quality(mean_square, own, clients, plan.num_directions, 1).signal_to_noise
    if math.isnan(ratio):
        return None
    return 1 / ratio if ratio else math.inf


def _moved(batch: int, octaves: float) -> int:
    if abs(octaves) <= STICK:
        return batch
    return batch * 2 if octaves > 0 else max(1, batch // 2)
