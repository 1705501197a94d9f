"""What one client adds to a secure sum, as one vector of integers, and what a sum of them means.

In the clear a report says the same and the server multiplies by the weight; here the client does.

    H·K values times the weight, then, without privacy noise,
        weight, weight², loss, clips, nonfinite, energy, odd, even
    and with it, since everything else is a public constant or not sent,
        loss, clips        in the units of `baffle.privacy.Sensitivity`
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from baffle.aggregation import COUNTERS, Part
from baffle.errors import Refused
from baffle.privacy import (
    Contribution,
    PrivacySpec,
    client_vector,
    clip_count,
    contribution_bounds,
    derive_seed,
    discrete_gaussian,
    example_vector,
    guaranteed_members,
    mean_loss,
    noise_limit,
    poisson_sample,
    sample_cap,
    sampling_rate,
    share_sigma,
)
from baffle.protocol.messages import LOSS_EXPONENT, Plan, Report
from baffle.protocol.steps import MAX_ENERGY, MAX_LOSS
from baffle.secagg.lanes import Block, Lanes
from baffle.secagg.spec import Parameters, SecureSpec, parameters

Integers = NDArray[np.int64]
NOISED = 2  # lanes behind the values where there is noise: loss and clips


def answer_secret(private: bytes, run: bytes, round: int, group: int, asked: bytes) -> bytes:
    """Return the secret of one answer, from which its noise and its examples are drawn.

    Asked the same again a client gives the same answer; asked anything else, under other noise, so
    that no difference of two answers is bare.

    Args:
        private: the client's 32 bytes from the operating system; never the direction key.
        run, round, group: of what.
        asked: all that the answer depends on, the plan and the mask ask.
    """
    place = round.to_bytes(4, "little") + group.to_bytes(4, "little")
    return derive_seed(private, b"answer" + run + place + hashlib.sha256(asked).digest())


def noise_variance(
    plan: Plan, secure: SecureSpec | None, privacy: PrivacySpec | None, asked: int, reports: int
) -> float:
    """Return the variance of the noise in one summed integer of a round; 0 without privacy.

    Args:
        plan: of the round.
        secure, privacy: what the run promises.
        asked: clients that were asked.
        reports: how many are in the sums.
    """
    if secure is None or privacy is None or not reports:
        return 0.0
    numbers = parameters(max(secure.min_group, asked // plan.groups), secure)
    return Form(plan, privacy, numbers).sigma ** 2 * reports / plan.sets


def _lanes(part: Contribution) -> Integers:
    """Return the lanes of a clipped contribution, or of several."""
    return np.concatenate((part.values, part.loss[..., None], part.clips[..., None]), axis=-1)


@dataclass(frozen=True)
class Form:
    """How a plan's vectors are laid out, and how noisy they are.

    Args:
        plan: of the round.
        privacy: what the run promises; None for no noise.
        group: numbers of the group's secure sum.
    """

    plan: Plan
    privacy: PrivacySpec | None
    group: Parameters

    @cached_property
    def sigma(self) -> float:
        """σ of one member's noise, in integers; 0 without privacy.

        Every client knows its own noise, so at least one member's share protects nobody from it.
        """
        if self.privacy is None:
            return 0.0
        members = guaranteed_members(self.group.least, max(1, self.group.colluders))
        total = self.privacy.total_sigma(self.plan.quantiser.limit)
        return share_sigma(total, members, self.plan.count + NOISED)

    @cached_property
    def lanes(self) -> Lanes:
        """The blocks of a vector and what one client's integers are bounded by."""
        plan, count = self.plan, self.plan.count
        if self.privacy is None:
            cap = 1 if plan.weighting == "uniform" else plan.weight_cap
            bounds = [(1, cap), (1, cap * cap), (1, MAX_LOSS), (2, count), (3, MAX_ENERGY)]
            values = (count, cap * plan.quantiser.limit)
        else:
            most = sample_cap(plan.batch) if self.privacy.unit == "example" else 1
            b, noise = contribution_bounds(self.privacy, plan.quantiser.limit, most), self.noise
            values, bounds = (count, b.values + noise), [(1, b.loss + noise), (1, b.clips + noise)]
        return Lanes(tuple(Block(*block) for block in (values, *bounds)))

    @property
    def noise(self) -> int:
        """Largest absolute noise of one member in one lane."""
        return noise_limit(self.sigma) if self.privacy else 0

    @property
    def weight(self) -> int:
        """What each client counts for where the weight is a public constant: with privacy."""
        return self.plan.batch if self.privacy and self.privacy.unit == "example" else 1

    def vector(self, report: Report) -> Integers:
        """Return what a client adds, before noise, by what it would report in the clear.

        With privacy the client is the unit; for examples see `vector_of_examples`.
        """
        row: Integers = self.vectors([report])[0]
        return row

    def vectors(self, reports: Sequence[Report]) -> Integers:
        """Return what each of several clients adds; int64 [clients, lanes]."""
        values = np.stack([r.values for r in reports])
        if self.privacy is None:
            weights = np.array([r.weight for r in reports])
            rest = [[r.weight, r.weight**2, *(getattr(r, c) for c in COUNTERS)] for r in reports]
            return np.concatenate((weights[:, None] * values, np.array(rest)), axis=1)
        losses = np.array([r.loss * 2.0**LOSS_EXPONENT for r in reports])
        return _lanes(client_vector(self.privacy, self.plan.quantiser.limit, values, losses))

    def noised(self, vector: Integers, secret: bytes) -> Integers:
        """Return a vector with this member's noise on it; the vector itself without privacy.

        Args:
            vector: int64 [count + 2].
            secret: for this answer alone, see `answer_secret`.
        """
        if self.privacy is None:
            return vector
        seed = derive_seed(secret, b"noise")
        return vector + discrete_gaussian(seed, self.sigma, len(vector))

    def noised_sum(self, total: Integers, reports: int, secret: bytes) -> Integers:
        """Return a sum with the noise that so many members would have added.

        For simulations without messages: one draw, whose distribution differs from that of the sum
        of shares by less than `baffle.privacy.shares.CONVOLUTION` allows.
        """
        if self.privacy is None:
            return total
        seed = derive_seed(secret, b"noise")
        return total + discrete_gaussian(seed, self.sigma * math.sqrt(reports), len(total))

    def sample(self, secret: bytes, examples: int) -> Integers:
        """Return which of its examples a client takes, where the example is the unit."""
        assert self.privacy is not None
        expected = self.plan.batch
        rate = sampling_rate(self.privacy.sampling or 1.0, examples, expected)
        seed = derive_seed(secret, b"sample")
        return poisson_sample(seed, examples, rate, sample_cap(expected))

    def vector_of_examples(self, values: Integers, losses: NDArray[np.float64]) -> Integers:
        """Return what a client adds, before noise, where the example is the unit.

        Args:
            values: int64 [m, K], of each example.
            losses: float64 [m].
        """
        assert self.privacy is not None
        limit = self.plan.quantiser.limit
        return _lanes(example_vector(self.privacy, limit, values, losses))

    def part(self, total: Integers, reports: int) -> Part:
        """Return what a sum of so many clients' vectors means.

        Nobody saw the parts, so a member may have put anything into its lanes. What no honest
        members' counts can come to is not used.

        Raises:
            Refused: "range", if the counts cannot be those of so many clients.
        """
        count, rest = self.plan.count, [int(x) for x in total[self.plan.count :]]
        values = total[:count]
        if self.privacy is None:
            self._require_counts(rest, reports)
            weight, squares, *counters = rest
            return Part(values, reports, weight, squares, tuple(counters))
        limit, weight = self.plan.quantiser.limit, self.weight * reports
        loss = mean_loss(self.privacy, limit, rest[0], weight) * reports
        counters = [loss, clip_count(limit, rest[1]), 0, 0, 0, 0]
        return Part(values, reports, weight, self.weight * weight, tuple(counters))

    def _require_counts(self, counts: Sequence[int], reports: int) -> None:
        n, weight, count = reports, counts[0], self.plan.count
        cap = 1 if self.plan.weighting == "uniform" else self.plan.weight_cap
        ranges = [
            (n, n * cap),
            (-(-(weight**2) // n), cap * weight),  # all alike, or few at the cap
            (-MAX_LOSS * n, MAX_LOSS * n),
            *[(0, count * n)] * 2,
            *[(0, MAX_ENERGY * n)] * 3,
        ]
        names = ("weight", "weight_squares", *COUNTERS)
        for name, value, (low, high) in zip(names, counts, ranges, strict=True):
            if not low <= value <= high:
                raise Refused(
                    "range",
                    f"a sum of {n} clients: expected {name} from {low} to {high}, got {value}; a "
                    "member put into its lanes what no honest one does",
                )
