"""One local step of many clients at once: the same bytes as each of them alone would send.

A client's own numbers stay functions of its key: they are drawn for all keys in one call, and the
arithmetic between losses and integers is elementwise or along a client's own row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from baffle.directions import ModelSignature, Place, Points, Probe
from baffle.directions.coordinates import Purpose
from baffle.directions.keyed import Keys, keyed_words
from baffle.directions.kind import Weights
from baffle.directions.subset import draw_subsets
from baffle.errors import ProbeError
from baffle.protocol.codec import RUN_PREFIX
from baffle.protocol.messages import ENERGY_EXPONENT, LOSS_EXPONENT, Plan, Report
from baffle.protocol.picking import pick, shares
from baffle.quantisation import Quantised, rounding_rows

MAX_LOSS = 2**31 - 1
BLOCK_LOSSES = 2**22  # of single examples at points, held at once
MAX_ENERGY = 2**48 - 1


@dataclass(frozen=True)
class Mine:
    """What a local step needs of the client that takes it.

    Args:
        name: for errors.
        key: its own, of this run.
        examples: how many it has.
    """

    name: str
    key: int
    examples: int


@dataclass(frozen=True)
class Taken:
    """What one client made of the losses of one local step.

    Args:
        quantised: its integers.
        nonfinite: how many directions were left out.
        loss: mean of the finite losses, nan if there is none.
        odd, even: energies, see `Derivatives`.
    """

    quantised: Quantised
    nonfinite: int
    loss: float
    odd: float
    even: float


def points_of(plan: Plan, signature: ModelSignature, step: int, group: int = 0) -> Points:
    """Return where all clients of a plan's group evaluate their losses in a local step."""
    layout = plan.estimator.layout(plan.num_directions, plan.pairs)
    exponents = tuple(plan.radius_exponent + s for s in plan.tensor_scales(signature))
    place = Place(plan.key, plan.round, step)
    directions = layout.directions + np.uint32(plan.first_direction(group))
    return Points(place, plan.kind, exponents, directions, layout.signs)


def batch_size(plan: Plan, examples: int) -> int:
    """Return how many of its examples a client probes on in a local step."""
    return min(plan.batch or examples, examples)


def evaluations(plan: Plan, examples: int) -> int:
    """Return the example evaluations that a client's answer costs."""
    looked_at = min(plan.candidates, examples) if picks(plan, examples) else 0
    return plan.probes * batch_size(plan, examples) + plan.num_local_steps * looked_at


def picks(plan: Plan, examples: int) -> bool:
    """Return whether a client with so many examples picks among candidates."""
    return min(plan.candidates, examples) > batch_size(plan, examples)


def draw_batches(
    plan: Plan, step: int, keys: Keys, examples: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return which of its examples each client probes on; int64 [C, B].

    Args:
        plan, step: of what.
        keys: the clients' own.
        examples: how many each has; their batch sizes must be alike.
    """
    size = batch_size(plan, int(examples[0]))
    return draw_subsets(keys, Purpose.BATCH, plan.round, step, examples, size)


def losses_of_batch(
    plan: Plan, step: int, probe: Probe, weights: Weights, points: Points, mine: Mine
) -> NDArray[np.float64]:
    """Return a client's losses [P] in a local step, on examples drawn or picked.

    Args:
        plan, step: of what.
        probe, weights, points: whose losses, and where.
        mine: the client.
    """
    keys, examples = np.array([mine.key], dtype=np.uint64), np.array([mine.examples])
    if not picks(plan, mine.examples):
        batch = draw_batches(plan, step, keys, examples)[0]
        losses = np.asarray(probe(weights, points, batch))
        require_losses(losses, (len(points),), mine.name)
        return losses
    candidates = draw_candidates(plan, step, keys, examples)
    before = losses_of_each(probe, weights, here(points), candidates[0], mine.name)
    chosen = pick_batches(plan, step, keys, candidates, before.T)[0]
    total = np.zeros(len(points))
    for part in chosen.parts(max(1, BLOCK_LOSSES // len(points))):
        total += part.losses(losses_of_each(probe, weights, points, part.examples, mine.name))
    return total


def draw_candidates(
    plan: Plan, step: int, keys: Keys, examples: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return which of its examples each client looks at first; int64 [C, M].

    Args:
        plan, step, keys: as for `draw_batches`.
        examples: how many each has; M, the lesser of it and the plan's, must be alike.
    """
    size = min(plan.candidates, int(examples[0]))
    return draw_subsets(keys, Purpose.BATCH, plan.round, step, examples, size)


@dataclass(frozen=True)
class Batch:
    """Picked examples of one client, int64 [B], and what their losses are added up by."""

    examples: NDArray[np.int64]
    weights: NDArray[np.float64]

    def parts(self, size: int) -> Iterator[Batch]:
        """Yield the batch in parts of so many examples: all losses at once might be too many."""
        for start in range(0, len(self.examples), size):
            part = slice(start, start + size)
            yield Batch(self.examples[part], self.weights[part])

    def losses(self, each: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the client's losses [P] from those of each of its examples [B, P]."""
        return np.asarray((each * self.weights[:, None]).sum(axis=0))


def pick_batches(
    plan: Plan,
    step: int,
    keys: Keys,
    candidates: NDArray[np.int64],
    losses: NDArray[np.float64],
) -> list[Batch]:
    """Return the batch that each client picks of its candidates [C, M] by their losses [C, M]."""
    uniforms = keyed_words(keys, Purpose.PICK, plan.round, step, 1)[:, 0] / 2.0**32
    found = []
    for own, before, uniform in zip(candidates, losses, uniforms.tolist(), strict=True):
        picked = pick(shares(before), plan.batch, uniform)
        found.append(Batch(own[picked.places], picked.weights))
    return found


def here(points: Points) -> Points:
    """Return the one point in the middle."""
    return replace(points.part(0, 1), signs=np.zeros(1, dtype=np.int8))


def take(plan: Plan, step: int, keys: Keys, losses: NDArray[np.float64]) -> list[Taken]:
    """Return what each client makes of its losses [C, P]: derivatives, rounded by its own key."""
    count = plan.num_directions
    losses = np.ascontiguousarray(losses)  # so that a row is summed as it would be alone
    found = plan.estimator.derivatives(losses, count, plan.pairs, plan.radius)
    words = rounding_rows(keys, plan.round, step, count)
    columns = (
        plan.quantiser.quantise_rows(found.values, words),
        np.sum(~found.finite, axis=1).tolist(),
        found.loss.tolist(),
        found.odd.tolist(),
        found.even.tolist(),
    )
    return [Taken(*row) for row in zip(*columns, strict=True)]


def require_losses(losses: NDArray[np.float64], shape: tuple[int, ...], whose: str) -> None:
    """Raise ProbeError unless a backend's answer is float64 losses [P], or [C, P] of C clients."""
    if losses.shape != shape or losses.dtype != np.float64:
        raise ProbeError(
            f"{whose}: expected {shape[-1]} float64 losses, got {losses.dtype} {losses.shape}"
        )


class EachProbe(Probe, Protocol):
    """A probe that also takes examples one by one."""

    def each(
        self, weights: Weights, points: Points, examples: NDArray[np.int64], /
    ) -> NDArray[np.float64]:
        """Return the loss of each example at each point; float64 [B, P]."""
        ...


def losses_of_each(
    probe: Probe, weights: Weights, points: Points, examples: NDArray[np.int64], whose: str
) -> NDArray[np.float64]:
    """Return the loss of each example at each point; float64 [B, P], B may be 0."""
    if not len(examples):
        return np.empty((0, len(points)))
    if hasattr(probe, "each"):
        found = np.asarray(cast("EachProbe", probe).each(weights, points, examples))
    else:
        found = np.array(
            [probe(weights, points, examples[i : i + 1]) for i in range(len(examples))]
        )
    require_losses(found, (len(examples), len(points)), whose)
    return found


def report_of(plan: Plan, client: int, examples: int, steps: Sequence[Taken]) -> Report:
    """Return a client's report over all local steps."""
    count = len(steps)
    finite = [s.loss for s in steps if math.isfinite(s.loss)]
    in_steps = 2.0 ** (-2 * plan.step_exponent)
    values = [s.quantised.values for s in steps]
    return Report(
        run=plan.run[:RUN_PREFIX],
        round=plan.round,
        client=client,
        values=values[0] if count == 1 else np.concatenate(values),
        weight=plan.weight_for(examples),
        loss=_fixed(sum(finite) / len(finite) if finite else 0.0, LOSS_EXPONENT, MAX_LOSS),
        clips=sum(s.quantised.clips for s in steps),
        nonfinite=sum(s.nonfinite for s in steps),
        energy=_energy(sum(s.quantised.energy for s in steps) / count),
        odd=_energy(sum(s.odd for s in steps) / count * in_steps),
        even=_energy(sum(s.even for s in steps) / count * in_steps),
    )


def _energy(value: float) -> int:
    return _fixed(value, ENERGY_EXPONENT, MAX_ENERGY)


def _fixed(value: float, exponent: int, limit: int) -> int:
    """Return a number as an integer in units of 2^exponent, saturating at ±limit."""
    scaled = (
        math.ldexp(value, -exponent) if abs(value) < 2.0**200 else math.copysign(math.inf, value)
    )
    return round(max(-float(limit), min(float(limit), scaled)))
