"""What is known of a run: figures of its rounds, of its weights, and of measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from baffle.config import Settings

Row = dict[str, Any]
RECENT = 100  # rounds that "now" is the median of, at most a quarter of those there are
FLOAT32_ROUNDING = 2.0**-24


@dataclass(frozen=True)
class Round:
    """A stored round, by its plan and outcome alone.

    Args:
        number: from 1.
        loss: mean probed loss.
        radius: σ.
        step: the quantiser's.
        bits: of an integer.
        one_sided: whether most directions were probed with one sign only.
        pairs: whether there were antithetic pairs to measure by.
        clipped: share of the derivatives (with privacy: of the vectors) that were clipped.
        nonfinite: share of the directions that were left out.
        rms: root mean square of a client's derivatives, in quantisation steps; 0 if not sent.
        odd, even: root mean squares of the pairs' odd and even part, in quantisation steps.
        zeros: share of zeros among the summed integers.
        gain: K·sets/(K·sets + d), squared cosine of a noiseless estimate, times H local steps.
        directions: K of its plan, which may be another one each round.
    """

    number: int
    loss: float
    radius: float
    step: float
    bits: int
    one_sided: bool
    pairs: bool
    clipped: float
    nonfinite: float
    rms: float
    odd: float
    even: float
    zeros: float
    gain: float
    directions: int = 0

    @property
    def difference(self) -> float:
        """Root mean square of the loss differences that were made of probes; nan if not sent."""
        return (self.rms or math.nan) * self.step * self.radius

    @property
    def roundings(self) -> float:
        """Loss differences over what float32 can tell apart at this loss."""
        return self.difference / (FLOAT32_ROUNDING * max(abs(self.loss), 2.0**-10))

    @property
    def even_to_odd(self) -> float:
        """Variance of the even part over the mean square of the odd part; nan without pairs."""
        return (self.even / self.odd) ** 2 if self.pairs and self.odd else math.nan


@dataclass(frozen=True)
class Travel:
    """How far the weights went. Unknown figures are nan.

    Args:
        moved: |θ_R - θ_0| / |θ_0|.
        grown: |θ_R| / |θ_0|.
        update: |θ_R - θ_{R-1}| / |θ_R|.
        finite: whether all weights are.
    """

    moved: float = math.nan
    grown: float = math.nan
    update: float = math.nan
    finite: bool = True


@dataclass(frozen=True)
class Fidelity:
    """How much of the derivatives that the run sends is signal, at some weights on one batch.

    Args:
        own: squared correlation of the run's derivatives (its estimator, radius and precision)
            with central differences in float32 at the radius where these agree best.
        full: the same, evaluated in float32.
        best: log2 of the radius that agrees best in the run's own precision.
        agreement: how well that one does.
        central: how well central differences at the run's radius do, in its precision.
    """

    own: float
    full: float
    best: int
    agreement: float
    central: float


@dataclass(frozen=True)
class Norm:
    """A batch norm's frozen statistics beside those of the examples.

    Args:
        name: of the module.
        fresh: whether they are those of a new layer.
        shift: median over channels of |mean of the examples - running mean| over the running
            deviation.
        scale: median over channels of the variance of the examples over the running one.
    """

    name: str
    fresh: bool
    shift: float
    scale: float


@dataclass(frozen=True)
class Drift:
    """How far clients' gradients differ at the weights that the run began with.

    Args:
        ratio: h²/|g|², mean squared distance of a client's gradient from the mean, over the mean's
            square; what a client's batch adds is taken out.
        labels: mean number of labels among a client's examples; nan unless targets are classes.
        classes: labels among all that were looked at.
        clients: how many were looked at.
    """

    ratio: float
    labels: float
    classes: int
    clients: int


@dataclass(frozen=True)
class Measured:
    """What evaluating the run's model on its data showed.

    Args:
        before, now: fidelity at the first weights (None if they are not stored) and at the last.
        drift: between clients, None with fewer than two of them.
        silent: trained tensors along which the loss does not change, with their sizes.
        entries: of all trained tensors.
        units: share of an activation's outputs that are 0 for all examples, by module.
        norms: batch norms.
        errors: what `check_model` calls an error, (where, what).
        averaged: loss of the mean of the last states over the last state's; nan if unknown.
    """

    before: Fidelity | None
    now: Fidelity
    drift: Drift | None = None
    silent: Mapping[str, int] = field(default_factory=dict)
    entries: int = 1
    units: Mapping[str, float] = field(default_factory=dict)
    norms: tuple[Norm, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    averaged: float = math.nan


@dataclass(frozen=True)
class Figures:
    """All that the checks look at.

    Args:
        settings: of the run.
        rows: of metrics.jsonl.
        rounds: those that the ledger still has, ascending; abandoned ones are left out.
        travel: of the weights.
        buffers: names of tensors that are not trained.
        dtypes: of the trained tensors.
        dimension: d.
        measured: None where nothing could be evaluated.
        why_not: and why.
    """

    settings: Settings
    rows: tuple[Row, ...]
    rounds: tuple[Round, ...]
    travel: Travel = Travel()
    buffers: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    dimension: int = 0
    measured: Measured | None = None
    why_not: str = ""

    def recent(self, figure: Callable[[Round], float]) -> float:
        """Return the median of a figure over the last quarter of the rounds, 100 at most."""
        count = max(1, min(RECENT, len(self.rounds) // 4))
        return middle(map(figure, self.rounds[-count:]))

    def mostly(self, figure: Callable[[Round], float]) -> float:
        """Return the median of a figure over all rounds that are stored."""
        return middle(map(figure, self.rounds))

    @property
    def private(self) -> bool:
        """Whether the sums hold noise for privacy."""
        return self.settings.privacy.unit != "none"

    @property
    def outside_privacy(self) -> bool:
        """Whether data were looked at outside of what the run promises them."""
        return self.private and self.measured is not None

    @property
    def losses(self) -> list[float]:
        """Training losses as the clients reported them, round by round; infinite if not finite."""
        return [
            math.inf if (loss := row.get("loss")) is None or not math.isfinite(loss) else loss
            for row in self.rows
            if not row.get("abandoned") and row.get("reports")
        ]

    @property
    def first_loss(self) -> float:
        """Loss of the first round, whose probes lie about the weights that the run began with."""
        return self.losses[0] if self.losses else math.nan

    @property
    def peak(self) -> float:
        """Largest loss over the first one."""
        return max(self.losses) / self.first_loss if self.losses and self.first_loss else math.nan

    @property
    def last_loss(self) -> float:
        """Median loss of the last tenth of the rounds."""
        losses = self.losses
        return median(losses[-max(1, len(losses) // 10) :]) if losses else math.nan

    @property
    def learned(self) -> float:
        """Share of the first loss that is gone; negative if it rose, nan if nothing is known.

        With privacy nothing is: a round's loss holds noise of its own size.
        """
        if self.private or not self.losses or not self.first_loss:
            return math.nan
        return 1 - self.last_loss / self.first_loss if math.isfinite(self.first_loss) else -math.inf

    def worth(self, noise: bool) -> float:
        """Return to how many exact gradient steps all planned rounds together come, Σ cos².

        Args:
            noise: whether what batches (and privacy) leave in a round counts too, as measured so
                far; else only that K directions of d were tried.
        """
        ran = [r for r in self.rows if not r.get("abandoned")]
        if noise:
            squares = [(row.get("expected_cosine") or 0.0) ** 2 for row in ran]
            steps = self.settings.probe.num_local_steps
        else:
            squares, steps = [r.gain for r in self.rounds], 1
        planned = max(self.settings.rounds, len(self.rows))
        return steps * planned * sum(squares) / len(squares) if squares else math.nan


def middle(values: Iterable[float]) -> float:
    """Return the median of those values that are numbers, nan of none."""
    known = [v for v in values if not math.isnan(v)]
    return median(known) if known else math.nan
