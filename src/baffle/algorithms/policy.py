"""What to ask for next: radius, estimator, quantisation step and step size from the last round.

Each choice is a function of the last plan and outcome, of the round's number, and of the training
state, so that a server that starts again asks for the same. Powers of two throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from baffle.algorithms.radii import TensorRadii
from baffle.algorithms.schedules import SCHEDULES
from baffle.algorithms.split import Split
from baffle.estimators import Estimator
from baffle.estimators.central import Central
from baffle.estimators.mean_baseline import MeanBaseline
from baffle.protocol import Last, Outcome, Plan
from baffle.quantisation import MAX_STEP_EXPONENT, Quantiser
from baffle.updates import TrainState
from baffle.updates.rebuild import standard_deviation

START_RADIUS_EXPONENT = -9
START_STEP_EXPONENT = -12
CROSSOVER = 0.97  # var(even)/mean(odd²) above which a pair beats two one-sided probes
# What the radius is steered to. Variance alone would allow 1/64, but then a step can reach half of
# the weights' norm (LeNet on MNIST: 2^-6 · √26,730 = 2.6), where third-order terms, which no pair
# measures, bias the odd part; at 1/4096 that part still stands thousands of times above rounding.
EVEN_SHARE = 1 / 4096
RADIUS_RANGE = (-24, -4)  # above it, terms that no pair measures begin to matter
# Share of the odd part that an even part may have unseen, below the units in which energies travel.
# Beyond it a measured zero says nothing. A step that follows the spread stays below, at any bits.
UNSEEN_SHARE = 1 / 32


@dataclass(frozen=True)
class Resolution:
    """How large the odd part of a loss should be to stand out of its rounding.

    Args:
        share: of the loss.
        least: a loss below this counts as this.
    """

    share: float
    least: float


FLOAT32 = Resolution(2.0**-16, 2.0**-10)  # 256 times the rounding of the loss itself
# In half precision it is the outputs that are rounded, whose size does not fall with the loss.
# Measured on digits in bfloat16, 8 examples: losses off by 2^-13 before training, by 2^-10.5 after;
# at one unit roundoff times 2 the signal was best at any time (one-sided, radius 2^-7).
BFLOAT16 = Resolution(2.0**-9, 2.0)
FLOAT16 = Resolution(2.0**-11, 2.0)
RESOLUTIONS = {"bfloat16": BFLOAT16, "float16": FLOAT16}


@dataclass(frozen=True)
class AutoPolicy:
    """A run's requests.

    Args:
        first: the plan of round 0, with everything that never changes.
        rounds: R, for the schedule.
        step_size: at the schedule's top.
        schedule: a row of SCHEDULES.
        auto_estimator, auto_radius, auto_step: whether these follow the measurements.
        normalised: whether the update divides by the scalars' deviation; then local steps do too.
        local_step_size: of the clients' own steps when H > 1.
        noise: of the count of clipped reports, as the standard deviation of its share times the
            round's weight; 0 where counts are exact. With it the step follows that count, since
            nothing else of what it could follow is sent.
        radii: decides radii by tensor; None for equal ones.
        split: decides K and B; None where they stay.
        resolution: of the losses, by the precision in which they are evaluated.
    """

    first: Plan
    rounds: int
    step_size: float
    schedule: str
    auto_estimator: bool
    auto_radius: bool
    auto_step: bool
    normalised: bool
    local_step_size: float
    noise: float = 0.0
    radii: TensorRadii | None = None
    split: Split | None = None
    resolution: Resolution = FLOAT32

    def plan(
        self,
        run: bytes,
        round: int,
        digest: bytes,
        last: Last | None,
        state: TrainState | None = None,
    ) -> Plan:
        """Return the plan of a round."""
        step_size = self.step_size * SCHEDULES[self.schedule](round, self.rounds)
        plan = replace(self.first, run=run, round=round, digest=digest, step_size=step_size)
        if last is None:
            return replace(plan, local_factor=self._local_factor(step_size, None))
        radius = next_radius(last, self.resolution) if self.auto_radius else plan.radius_exponent
        step = self._next_step(last) if self.auto_step else plan.step_exponent
        plan = replace(
            plan,
            radius_exponent=radius,
            step_exponent=step,
            local_factor=self._local_factor(step_size, last),
        )
        if self.split:
            directions, batch = self.split.choose(last)
            plan = replace(plan, num_directions=directions, batch=batch)
        if self.radii and state:
            plan = replace(plan, scale_exponents=self.radii.choose(last.plan, state))
        return self._with_estimator(plan, last) if self.auto_estimator else plan

    def _next_step(self, last: Last) -> int:
        return next_step_by_clips(last, self.noise) if self.noise else next_step_exponent(last)

    def _with_estimator(self, plan: Plan, last: Last) -> Plan:
        """Choose between one-sided and antithetic at equal probes."""
        estimator, directions = choose_estimator(
            last, plan.radius_exponent, plan.num_directions, self.first.pairs
        )
        pairs = self.first.pairs if estimator.name == MeanBaseline.name else directions
        return replace(plan, estimator_code=estimator.code, num_directions=directions, pairs=pairs)

    def _local_factor(self, step_size: float, last: Last | None) -> float:
        if self.first.num_local_steps == 1:
            return 0.0
        local = self.local_step_size * (step_size / self.step_size)
        if not self.normalised:
            return local
        deviation = derivative_deviation(last) if last else 0.0
        return local / deviation if deviation else 0.0


def derivative_deviation(last: Last) -> float:
    """Return the standard deviation of the last round's averaged derivatives; 0 if unknown."""
    if last.outcome.abandoned:
        return 0.0
    # A set of directions has its share of the clients, and of their weight.
    spread = standard_deviation(last.outcome.values) * last.plan.sets / last.outcome.weight
    return math.ldexp(spread, last.plan.step_exponent)


def even_to_odd(outcome: Outcome) -> float | None:
    """Return var(even)/mean(odd²) of the antithetic pairs, None if there were none to tell."""
    return outcome.even / outcome.odd if outcome.odd else None


def choose_estimator(
    last: Last, radius_exponent: int, num_directions: int, pairs: int
) -> tuple[Estimator, int]:
    """Return the estimator and its number of directions at equal probes.

    The ratio of even to odd energy goes with σ²; it is carried over to the next radius.
    """
    ratio = even_to_odd(last.outcome)
    if ratio is None:
        was_central = last.plan.estimator_code == Central.code
        halved = max(1, (num_directions + pairs) // 2)
        return (Central(), halved) if was_central else (MeanBaseline(), num_directions)
    ratio = math.ldexp(ratio, 2 * (radius_exponent - last.plan.radius_exponent))
    if ratio > CROSSOVER:
        return Central(), max(1, (num_directions + pairs) // 2)
    return MeanBaseline(), num_directions


def next_radius(last: Last, resolution: Resolution) -> int:
    """Return log2 of the radius that steers var(even)/mean(odd²) to EVEN_SHARE.

    Two octaves a round at the most. A smaller radius would bring the odd part down to the losses'
    own rounding, which raises both energies alike; then it grows. It stays where there is no ratio.

    Args:
        last: the round before.
        resolution: of the losses.
    """
    exponent, outcome = last.plan.radius_exponent, last.outcome
    ratio = even_to_odd(outcome)
    if ratio is None:
        return exponent
    wanted = round(0.5 * math.log2(EVEN_SHARE / ratio)) if ratio else _unseen(outcome)
    floor = _radius_floor(last, resolution)
    moved = max(exponent + max(-2, min(2, wanted)), min(floor, exponent + 2))
    return max(RADIUS_RANGE[0], min(RADIUS_RANGE[1], moved))


def _unseen(outcome: Outcome) -> int:
    """Return the octaves to go up where the even energy came as zero: rounded, or by nature."""
    most = 0.5 * outcome.reports / outcome.odd  # a report's energy is rounded to the next unit
    return 2 if most <= UNSEEN_SHARE else 0


def _radius_floor(last: Last, resolution: Resolution) -> int:
    """Return log2 of the radius whose odd part stands out of the losses' rounding."""
    slope = math.sqrt(last.outcome.mean_energy(last.outcome.odd)) * 2.0**last.plan.step_exponent
    wanted = resolution.share * max(abs(last.outcome.mean_loss), resolution.least)
    return math.ceil(math.log2(wanted / slope)) if slope else RADIUS_RANGE[0]


def next_step_by_clips(last: Last, noise: float) -> int:
    """Return the step at which about half of the vectors are longer than the clip norm.

    Andrew et al., "Differentially Private Learning with Adaptive Clipping" (2021), in powers of
    two: an octave up where three quarters are clipped, one down where a quarter is, each by more
    than the noise.

    Args:
        last: the round before; its `clips` over its weight is the noisy share.
        noise: standard deviation of the count.
    """
    exponent, outcome = last.plan.step_exponent, last.outcome
    if not outcome.weight:
        return exponent
    share, unsure = outcome.clips / outcome.weight, noise / outcome.weight
    moved = exponent + (share - unsure > 0.75) - (share + unsure < 0.25)
    return max(-MAX_STEP_EXPONENT, min(MAX_STEP_EXPONENT, moved))


def headroom(bits: int) -> float:
    """Return how many root mean squares the quantiser's range spans to each side."""
    return min(8.0, 1.5 + 0.5 * bits)


def next_step_exponent(last: Last) -> int:
    """Return the step at which the range spans `headroom` root mean squares of a derivative."""
    rms = math.sqrt(last.outcome.mean_energy(last.outcome.energy))
    exponent = last.plan.step_exponent
    if not rms:
        return exponent
    limit = Quantiser(last.plan.bits, 0).limit
    wanted = math.log2(rms * headroom(last.plan.bits) / limit)
    # A move of less than an octave is noise: the step stays where it is.
    moved = exponent + (round(wanted) if abs(wanted) >= 1 else 0)
    return max(-MAX_STEP_EXPONENT, min(MAX_STEP_EXPONENT, moved))
