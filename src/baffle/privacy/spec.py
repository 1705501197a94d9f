"""What is promised to whom, and what one of them can change in the integers that are sent.

Adjacency is zero-out for both units: in a neighbouring history one client's contribution, or that
of one example, is replaced by zeros. Who is on the roster and how many examples a client has is
public.

A contribution is three blocks of integers. With C the quantiser's limit (the clip norm in steps):

| block | a unit's part of it | changes by at most |
|---|---|---|
| values | H·K integers (K of an example), L2 norm ≤ C over all of them | C in L2 norm |
| loss | 0 … ⌊C/8⌋ | ⌊C/8⌋ |
| clips | 0 or ⌊C/4⌋ | ⌊C/4⌋ |

With the client as unit a client sends its part, with the example as unit the sum over its examples
in the round, so that one of them in or out changes as much. The weight is a public constant, and
nonfinite, energy, odd and even are sent as 0. Blocks change together, so the joint L2 sensitivity
is Δ = √(C² + ⌊C/8⌋² + ⌊C/4⌋²) ≤ 1.04 C: loss and clips cost four per cent of the noise.

One client's H local steps see its own data only and are clipped together, so the bound holds for
any H. With the example as unit H must be 1: an example of the first step moves the weights at which
all later examples are evaluated, so that every later vector depends on it. For the same reason one
example's integers may depend on that example alone: its rounding, augmentation and dropout go by
its number, never by its place in the batch, and no layer mixes examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from baffle.errors import ConfigError

UNITS = ("client", "example")
LEAST_LIMIT = 8  # with fewer levels the loss lane would have none
LOSS_PART, CLIP_PART = 8, 4


@dataclass(frozen=True)
class PrivacySpec:
    """The promise of a run; part of its genesis.

    Args:
        unit: "client" or "example".
        noise_multiplier: z; every opened sum carries noise of σ ≥ z Δ.
        delta: δ of the whole run, above 0 and below 1.
        loss_bound: a loss is clipped to 0 … this before it is counted; above 0.
        sampling: q, the largest probability with which a client secretly takes one of its examples
            in a round; None where the batch is not a secret Poisson sample. Example unit only.

    Raises:
        ConfigError: a field is out of range.

    Example:
        >>> PrivacySpec("client", noise_multiplier=1.0, delta=1e-5, loss_bound=8.0).sampling
    """

    unit: str
    noise_multiplier: float
    delta: float
    loss_bound: float
    sampling: float | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(f"the unit of privacy is one of {UNITS}, got {self.unit!r}")
        require_positive("the noise multiplier", self.noise_multiplier)
        require_positive("the bound on a loss", self.loss_bound)
        if not 0 < self.delta < 1:
            raise ConfigError(f"δ must lie between 0 and 1, got {self.delta}")
        if self.sampling is None:
            return
        if self.unit != "example":
            raise ConfigError(
                "only examples are sampled in secret: the cohort comes from the public run key, so "
                "client as unit of privacy has no sampling rate"
            )
        if not 0 < self.sampling <= 1:
            raise ConfigError(f"a sampling rate lies above 0 and up to 1, got {self.sampling}")

    def require_steps(self, steps: int) -> None:
        """Raise ConfigError unless the unit allows H local steps."""
        if self.unit == "example" and steps > 1:
            raise ConfigError(
                f"{steps} local steps do not go with the example as unit of privacy: an example "
                "of the first step moves the weights at which all later ones are evaluated; use "
                "1 local step, or the client as unit"
            )

    def total_sigma(self, limit: int) -> float:
        """Return the σ in steps that every opened sum must have: z Δ, rounded up.

        Args:
            limit: C, the quantiser's.
        """
        squared = Sensitivity(limit).squared
        target = Fraction(self.noise_multiplier) ** 2 * squared
        sigma = self.noise_multiplier * math.sqrt(squared)
        while Fraction(sigma) ** 2 < target:
            sigma = math.nextafter(sigma, math.inf)
        return sigma


@dataclass(frozen=True)
class Sensitivity:
    """What one unit can change in an opened sum, block by block, in integers.

    Args:
        values: C, the quantiser's limit and the clip norm in steps; at least 8.

    Raises:
        ConfigError: the limit is too small.

    Example:
        >>> s = Sensitivity(127)
        >>> s.values, s.loss, s.clips, s.squared
        (127, 15, 31, 17315)
    """

    values: int

    def __post_init__(self) -> None:
        if self.values < LEAST_LIMIT:
            raise ConfigError(
                f"privacy needs a clip norm of at least {LEAST_LIMIT} steps, got {self.values}: "
                "use 5 bits or more (16 are usual)"
            )

    @property
    def loss(self) -> int:
        """⌊C/8⌋, the integer of a loss at its bound."""
        return self.values // LOSS_PART

    @property
    def clips(self) -> int:
        """⌊C/4⌋, the integer of one that was clipped."""
        return self.values // CLIP_PART

    @property
    def squared(self) -> int:
        """Δ², exactly."""
        return self.values**2 + self.loss**2 + self.clips**2


def require_positive(what: str, value: float) -> None:
    """Raise ConfigError unless a number is finite and above 0."""
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"{what} must be finite and above 0, got {value}")
