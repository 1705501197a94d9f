"""How much there is to compute until a model has learned, by training steps and by probes.

Nobody can know it before. What is said here is an order of magnitude, with its basis, and a factor
for how far it may be off either way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from baffle.errors import ConfigError

# Digits to 0.95, four multilayer perceptrons of 1,210 to 85,002 weights, both sides tuned alike
# (experiments/advice): training took about 2,500 examples of a set of 1,437, and probes 370 to
# 1,460 times as many evaluations, rising little over a factor of 70 in the number of weights.
# Those runs drew their examples; picking them is counted as what it costs, not as what it saves.
PASSES = 2.0
EVALUATIONS = 800.0
FACTOR = 3.0
TESTED = 85_002  # weights, beyond which the factor is a guess that grows
NOISE = 8.0  # s: an example's gradient noise over |g|; MNIST runs did best around it
LEAST_ROUNDS = 20  # of FedAvg
LEAST_PROBING_ROUNDS = 200  # the quickest of those runs took 170, whatever a round evaluates
ROUNDS = 1_000  # that a run by probes is spread over
DIRECTIONS = (64, 4096)
CANDIDATES = 4  # a picked example, as `probe.candidates = auto` has it
MOST_CANDIDATES = 2**16 - 1
MOST_STEPS = 16  # local steps of a round of FedAvg


@dataclass(frozen=True)
class Federation:
    """Who takes part.

    Args:
        clients: N, registered.
        participation: share of them asked in a round.
        examples: that each has.

    Raises:
        ConfigError: a number is out of range.
    """

    clients: int = 10
    participation: float = 1.0
    examples: int = 1_000

    def __post_init__(self) -> None:
        if self.clients < 1 or self.examples < 1 or not 0 < self.participation <= 1:
            raise ConfigError(
                "expected at least one client with one example and a participation within "
                f"(0, 1], got {self.clients}, {self.examples} and {self.participation}"
            )

    @property
    def asked(self) -> int:
        """C, clients a round."""
        return max(1, round(self.clients * self.participation))


@dataclass(frozen=True)
class Schedule:
    """How a client takes part.

    Args:
        rounds: R.
        units: directions K of a round, or local steps H of FedAvg.
        batch: examples B that a client probes on, or takes a step on.
        candidates: examples among which it picks them; 0 where they are drawn.
    """

    rounds: int
    units: int
    batch: int
    candidates: int = 0


def picking(schedule: Schedule, federation: Federation) -> Schedule:
    """Return a schedule by probes whose clients pick each example of B among four, if they have.

    Example:
        >>> picking(Schedule(9, 64, 8), Federation(examples=20)).candidates
        20
    """
    wanted = min(CANDIDATES * schedule.batch, federation.examples, MOST_CANDIDATES)
    return replace(schedule, candidates=wanted if wanted > schedule.batch else 0)


def expected_cosine(directions: int, dimension: int) -> float:
    """Return √(K/(K + d)), between a linear loss's gradient and an estimate of it.

    Example:
        >>> round(expected_cosine(1000, 3000), 2)
        0.5
    """
    return math.sqrt(directions / (directions + dimension))


def squared_error(directions: int, dimension: int) -> float:
    """Return (d - 1)/K, the expected squared error of an estimate over the gradient's square.

    Holds for every ±1 direction with uncorrelated entries and a linear loss.
    """
    return (dimension - 1) / directions


def uncertainty(dimension: int) -> float:
    """Return by which factor an estimate of probes to training may be off, either way.

    A guess beyond the sizes that were measured: √(d/85,000) on top, since the worst case grows
    with d (Nesterov and Spokoiny 2017), while models of low effective rank do not show it.

    Example:
        >>> uncertainty(10_000), round(uncertainty(8_500_200))
        (3.0, 30)
    """
    return FACTOR * math.sqrt(max(1.0, dimension / TESTED))


def training_examples(federation: Federation) -> float:
    """Return examples that training steps take in all, the clients' together."""
    return PASSES * federation.clients * federation.examples


def training_schedule(federation: Federation, batch: int = 32) -> Schedule:
    """Return FedAvg's: a pass over a client's examples a round, at most 16 steps.

    Example:
        >>> training_schedule(Federation(10, 1.0, 320))
        Schedule(rounds=20, units=10, batch=32, candidates=0)
    """
    batch = min(batch, federation.examples)
    steps = max(1, min(MOST_STEPS, federation.examples // batch))
    rounds = training_examples(federation) / (federation.asked * steps * batch)
    return Schedule(max(LEAST_ROUNDS, math.ceil(rounds)), steps, batch)


def probing_schedule(
    federation: Federation, dimension: int, directions: int = 0, batch: int = 0
) -> Schedule:
    """Return K, B and rounds of a run by probes.

    With E evaluations a round, all clients' together, an estimate's error is least on
    B* = s √(E/d) examples, the clients' together, and so with K = E/B* directions.

    Args:
        federation: who takes part.
        dimension: d.
        directions, batch: K and B where they are given.

    Example:
        >>> probing_schedule(Federation(10, 1.0, 1_000), 26_730)
        Schedule(rounds=782, units=2048, batch=1, candidates=0)
    """
    asked, whole = federation.asked, EVALUATIONS * training_examples(federation)
    each = whole / ROUNDS
    best = NOISE * math.sqrt(each / dimension) / asked
    batch = batch or max(1, min(federation.examples, round(best)))
    low, high = DIRECTIONS
    wanted = max(low, min(high, each / (asked * batch)))
    directions = directions or 2 ** round(math.log2(wanted))
    rounds = math.ceil(whole / (asked * batch * directions))
    return Schedule(max(LEAST_PROBING_ROUNDS, rounds), directions, batch)
