"""What a client puts into the lanes before noise, and what the server reads from noisy sums."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from baffle.errors import ConfigError
from baffle.privacy.clip import Integers, clip_norm
from baffle.privacy.spec import PrivacySpec, Sensitivity

Losses = NDArray[np.float64] | np.float64 | float  # one number where there are no leading axes

LOSS_UNITS = 2**16  # a loss is counted in units of 2^-16, as in a report
LEVELS = 4  # clip norm over √(H·K), below which truncation eats the values


@dataclass(frozen=True)
class Contribution:
    """Lanes of one client, or of many along leading axes, before noise.

    Args:
        values: int64 [..., H·K].
        loss, clips: int64 [...], in the units of `Sensitivity`.
    """

    values: Integers
    loss: Integers
    clips: Integers


@dataclass(frozen=True)
class Bounds:
    """Largest absolute value of a lane of one client, without noise."""

    values: int
    loss: int
    clips: int


def client_vector(spec: PrivacySpec, limit: int, values: Integers, loss: Losses) -> Contribution:
    """Return what clients contribute when the client is the unit.

    Args:
        spec: the promise.
        limit: C, the quantiser's, which is the clip norm over all H·K integers together.
        values: int64 [..., H·K], the quantised derivatives.
        loss: float64 [...], mean probed losses; what is not finite counts as the bound.

    Example:
        >>> spec = PrivacySpec("client", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
        >>> client_vector(spec, 100, np.array([60, 80, 75]), np.array(1.0))
        Contribution(values=array([48, 64, 60]), loss=array(3), clips=array(25))
    """
    parts = Sensitivity(limit)
    clipped, over = clip_norm(values, limit)
    counted = _loss_steps(spec, parts, loss)
    return Contribution(clipped, counted, np.asarray(over * parts.clips, dtype=np.int64))


def example_vector(spec: PrivacySpec, limit: int, values: Integers, losses: Losses) -> Contribution:
    """Return what clients contribute when the example is the unit: sums over their examples.

    Args:
        spec: the promise.
        limit: C, the quantiser's, which is the clip norm of one example's K integers.
        values: int64 [..., B, K], the quantised derivatives of each example; B may be 0.
        losses: float64 [..., B], mean probed losses of each.

    Example:
        >>> spec = PrivacySpec("example", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
        >>> example_vector(spec, 10, np.array([[30, 40], [3, 4]]), np.array([4.0, 0.5]))
        Contribution(values=array([ 9, 12]), loss=array(1), clips=array(2))
    """
    each = client_vector(spec, limit, values, losses)
    return Contribution(
        np.sum(each.values, axis=-2, dtype=np.int64),
        np.asarray(np.sum(each.loss, axis=-1, dtype=np.int64)),
        np.asarray(np.sum(each.clips, axis=-1, dtype=np.int64)),
    )


def contribution_bounds(spec: PrivacySpec, limit: int, most: int) -> Bounds:
    """Return how far one client's lanes can reach without noise.

    Args:
        spec: the promise.
        limit: C, the quantiser's.
        most: examples that a client can take in a round (see `sample_cap`); ignored where the
            client is the unit.

    Example:
        >>> spec = PrivacySpec("example", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
        >>> contribution_bounds(spec, 127, most=10)
        Bounds(values=1270, loss=150, clips=310)
    """
    parts, times = Sensitivity(limit), most if spec.unit == "example" else 1
    return Bounds(times * parts.values, times * parts.loss, times * parts.clips)


def mean_loss(spec: PrivacySpec, limit: int, lane: int, weight: int) -> int:
    """Return the mean loss that a noisy sum tells, in units of 2^-16, within 0 … the bound.

    Args:
        spec, limit: as where the lane was made.
        lane: the noisy sum of the loss lanes.
        weight: the sum of the weight lanes: clients, or expected examples.

    Example:
        >>> spec = PrivacySpec("client", noise_multiplier=1.0, delta=1e-5, loss_bound=4.0)
        >>> mean_loss(spec, 127, lane=30, weight=4) == 2 * 2**16
        True
    """
    if weight < 1:
        raise ConfigError(f"a mean loss needs a weight of at least 1, got {weight}")
    bound = Fraction(spec.loss_bound) * LOSS_UNITS
    mean = Fraction(lane, weight * Sensitivity(limit).loss) * bound
    return round(max(Fraction(0), min(bound, mean)))


def clip_count(limit: int, lane: int) -> int:
    """Return how many were clipped, by a noisy sum; at least 0.

    Example:
        >>> clip_count(127, 70), clip_count(127, -50)
        (2, 0)
    """
    return max(0, round(Fraction(lane, Sensitivity(limit).clips)))


def require_levels(limit: int, count: int) -> None:
    """Raise ConfigError where the clip norm is too few steps for this many integers.

    A vector at the clip norm has entries of about C/√(H·K) steps, and clipping truncates each
    towards zero.

    Args:
        limit: C, the quantiser's.
        count: H·K.
    """
    if limit * limit < LEVELS**2 * count:
        raise ConfigError(
            f"a clip norm of {limit} steps over {count} integers leaves each about "
            f"{limit / count**0.5:.1f} steps, and {LEVELS} are needed: use more bits, or fewer "
            "directions and local steps"
        )


def _loss_steps(spec: PrivacySpec, parts: Sensitivity, loss: Losses) -> Integers:
    bound = spec.loss_bound
    finite = np.nan_to_num(loss, nan=bound, posinf=bound, neginf=0.0)
    share = np.clip(finite, 0.0, bound) / bound
    return np.asarray(np.floor(share * parts.loss + 0.5), dtype=np.int64)
