"""What crosses between server and client: frozen values, and the bounds that they keep.

A report holds K small integers and a few counted ones. It has no room for anything of a model's
size, and no field of variable length other than the integers that the plan asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.directions import DENSITY_STEPS, KINDS, Kind, ModelSignature, make_kind
from baffle.estimators import ESTIMATOR_BY_CODE, Estimator
from baffle.quantisation import Quantiser

RUN_BYTES = 16
DIGEST_BYTES = 32
LOSS_EXPONENT = -16  # a loss travels as an integer times 2^-16
ENERGY_EXPONENT = -8  # a mean square, in squared quantisation steps, times 2^-8
WEIGHTINGS = ("uniform", "examples")


@dataclass(frozen=True)
class Plan:
    """What the server asks of every client of a round. About 110 bytes.

    Args:
        run: 16 bytes that `run_id` makes of the genesis.
        round: number of this round, from 0.
        key: run key, from which the directions come.
        digest: SHA-256 of the training state that the round begins with.
        num_directions: K.
        num_local_steps: H; the report holds H·K integers.
        kind_code, density_steps: kind of direction; share of entries in 65,536ths (masked only).
        estimator_code, pairs: how losses become derivatives; how many directions are antithetic.
        radius_exponent: log2 of the reference radius σ.
        scale_exponents: log2 of a trained tensor's radius over σ, in canonical order; empty when
            all are 0.
        step_exponent, bits: the quantiser.
        batch: examples a client probes on; 0 for all it has.
        weighting, weight_cap: "uniform" or "examples"; a client's weight never passes the cap.
        step_size: of the server's update of this round.
        local_factor: what a client multiplies its own rebuilt integers by between local steps.
        groups: G, into how many groups the round's clients are dealt.
        shared_directions: whether all groups probe along the same K directions; otherwise group g
            has the directions g·K to (g+1)·K - 1 of each local step.
        candidates: M, examples whose losses a client looks at to pick those that it probes on;
            0 to draw them evenly. See `protocol.picking`.
    """

    run: bytes
    round: int
    key: int
    digest: bytes
    num_directions: int
    num_local_steps: int
    kind_code: int
    density_steps: int
    estimator_code: int
    pairs: int
    radius_exponent: int
    scale_exponents: tuple[int, ...]
    step_exponent: int
    bits: int
    batch: int
    weighting: str
    weight_cap: int
    step_size: float
    local_factor: float
    groups: int = 1
    shared_directions: bool = False
    candidates: int = 0

    @property
    def count(self) -> int:
        """Number of integers in a report, H·K."""
        return self.num_directions * self.num_local_steps

    @property
    def sets(self) -> int:
        """How many sets of K directions a local step has: one, or one a group."""
        return 1 if self.shared_directions else self.groups

    @property
    def sums(self) -> int:
        """Number of integers in an outcome: H·K for each set, set by set."""
        return self.sets * self.count

    def first_direction(self, group: int) -> int:
        """Return the index of a group's first direction in every local step."""
        return 0 if self.shared_directions else group * self.num_directions

    @property
    def kind(self) -> Kind:
        """The directions' kind."""
        name = next(n for n, k in KINDS.items() if k.code == self.kind_code)
        return make_kind(name, self.key, self.density_steps / DENSITY_STEPS)

    @property
    def estimator(self) -> Estimator:
        """How losses become derivatives."""
        return ESTIMATOR_BY_CODE[self.estimator_code]

    @property
    def quantiser(self) -> Quantiser:
        """How derivatives become integers."""
        return Quantiser(self.bits, self.step_exponent)

    @property
    def radius(self) -> float:
        """The reference radius σ, a power of two."""
        return 2.0**self.radius_exponent

    def tensor_scales(self, signature: ModelSignature) -> tuple[int, ...]:
        """Return the scale exponents, one a trained tensor."""
        return self.scale_exponents or (0,) * len(signature.trained)

    @property
    def probes(self) -> int:
        """Losses that one client evaluates."""
        layout = self.estimator.layout(self.num_directions, self.pairs)
        return len(layout.signs) * self.num_local_steps

    def weight_for(self, examples: int) -> int:
        """Return a client's weight: 1, or its number of examples up to the cap."""
        return 1 if self.weighting == "uniform" else min(examples, self.weight_cap)


@dataclass(frozen=True)
class Report:
    """A client's answer: H·K integers and seven counted ones. 2 bytes an integer at 16 bits.

    Args:
        run: first 8 bytes of the run.
        round, client: whose answer to what.
        values: int64 [H·K], local step by local step.
        weight: the client's weight; the values are not multiplied by it, the server does that.
        loss: mean probed loss in units of 2^-16, saturating at 32 bits.
        clips: how many derivatives were clipped.
        nonfinite: how many directions were left out because a loss was not finite.
        energy: mean square of the derivatives in squared steps, in units of 2^-8, before clipping.
        odd, even: the same of the odd and the even part, from antithetic pairs.
    """

    run: bytes
    round: int
    client: int
    values: NDArray[np.int64]
    weight: int
    loss: int
    clips: int
    nonfinite: int
    energy: int
    odd: int
    even: int


@dataclass(frozen=True)
class Outcome:
    """What a round came to: the only thing besides the plan that anyone needs to follow.

    Args:
        run, round: as in the plan.
        reports: how many reports were summed.
        weight, weight_squares: sums of the reports' weights and of their squares.
        loss, clips, nonfinite, energy, odd, even: sums of the reports' fields.
        values: int64 [sets·H·K], the weighted sums, set of directions by set; a set of which
            nothing came holds zeros. Empty when the round was abandoned.
    """

    run: bytes
    round: int
    reports: int
    weight: int
    weight_squares: int
    loss: int
    clips: int
    nonfinite: int
    energy: int
    odd: int
    even: int
    values: NDArray[np.int64]

    @property
    def abandoned(self) -> bool:
        """Whether too few reports came in; the weights stay as they were."""
        return len(self.values) == 0

    @property
    def mean_loss(self) -> float:
        """Mean over the reports of their probed loss."""
        return self.loss * 2.0**LOSS_EXPONENT / self.reports if self.reports else float("nan")

    def mean_energy(self, field: int) -> float:
        """Return the mean over reports of an energy field, in squared quantisation steps."""
        return field * 2.0**ENERGY_EXPONENT / self.reports if self.reports else 0.0


def run_id(genesis: bytes) -> bytes:
    """Return the run's 16 bytes: what ties every message to one genesis."""
    return hashlib.sha256(b"baffle genesis 1\n" + genesis).digest()[:RUN_BYTES]
