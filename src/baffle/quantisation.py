"""Derivatives to small integers: clip, power-of-two step, stochastic rounding.

q = floor(d / 2^s + u) with u uniform in (0, 1), after d is clipped to ±limit · 2^s. Unbiased inside
the range. The step is a power of two, so the division is exact; u is a function of the client's
own key, the round and the direction, so that a client that is asked again answers alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.directions.coordinates import Purpose, Stream
from baffle.directions.keyed import Keys, keyed_words
from baffle.errors import ConfigError

MIN_BITS, MAX_BITS = 1, 24
MAX_STEP_EXPONENT = 126


@dataclass(frozen=True)
class Quantiser:
    """A grid for derivatives.

    Args:
        bits: 2 to 24 for the levels -(2^(bits-1) - 1) … 2^(bits-1) - 1; 1 for the sign alone, where
            the levels are -1 and +1 and the sign is drawn so that its mean is the clipped d/2^s.
        step_exponent: s; the step is 2^s in units of the derivative.

    Example:
        >>> Quantiser(bits=16, step_exponent=-10).limit
        32767
    """

    bits: int
    step_exponent: int

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise ConfigError(
                f"quantisation bits must lie in {MIN_BITS} to {MAX_BITS}, got {self.bits}"
            )
        if abs(self.step_exponent) > MAX_STEP_EXPONENT:
            raise ConfigError(
                f"quantisation step exponent must lie within ±{MAX_STEP_EXPONENT}, "
                f"got {self.step_exponent}"
            )

    @property
    def limit(self) -> int:
        """Largest absolute level."""
        return 1 if self.bits == 1 else 2 ** (self.bits - 1) - 1

    def quantise(self, derivatives: NDArray[np.float64], words: NDArray[np.uint32]) -> Quantised:
        """Return the integers, how many were clipped, and the mean square before clipping.

        Args:
            derivatives: float64 [K], finite.
            words: one random word a direction.
        """
        return self.quantise_rows(derivatives[None], words[None])[0]

    def quantise_rows(
        self, derivatives: NDArray[np.float64], words: NDArray[np.uint32]
    ) -> list[Quantised]:
        """Return the same for each of many clients; derivatives and words are [C, K]."""
        x = np.ldexp(derivatives, -self.step_exponent)
        values = self._integers(np.clip(x, -self.limit, self.limit), words)
        clips = np.sum(np.abs(x) > self.limit, axis=1).tolist()
        energies = np.mean(x**2, axis=1).tolist()
        return [Quantised(*row) for row in zip(values, clips, energies, strict=True)]

    def _integers(
        self, clipped: NDArray[np.float64], words: NDArray[np.uint32]
    ) -> NDArray[np.int64]:
        u = (words + 0.5) * 2.0**-32
        if self.bits == 1:
            return np.where(2 * u < 1 + clipped, 1, -1).astype(np.int64)
        return np.floor(clipped + u).clip(max=self.limit).astype(np.int64)


@dataclass(frozen=True)
class Quantised:
    """Integers [K], the number clipped, and the mean square of d/2^s before clipping."""

    values: NDArray[np.int64]
    clips: int
    energy: float


def rounding_words(client_key: int, round: int, step: int, count: int) -> NDArray[np.uint32]:
    """Return the words that decide the rounding of `count` directions; a client's own."""
    keys = np.array([client_key], dtype=np.uint64)
    only: NDArray[np.uint32] = rounding_rows(keys, round, step, count)[0]
    return only


def example_words(
    client_key: int, round: int, count: int, examples: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Return the words that decide the rounding of each example's `count` directions.

    By the example's number and not by its place among those taken, so that one more or less
    changes no other's; uint32 [len(examples), count].
    """
    stream = Stream(client_key, Purpose.ROUNDING, round)
    return stream.words(examples + 1, count)  # index 0 is a whole batch's


def rounding_rows(keys: Keys, round: int, step: int, count: int) -> NDArray[np.uint32]:
    """Return the rounding words of many clients; uint32 [C, count]."""
    return keyed_words(keys, Purpose.ROUNDING, round, step, count)
