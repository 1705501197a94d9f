"""A run folder to figures: the ledger's rounds and weights, the metrics, the configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.config import Settings, resolve
from baffle.drivers.diagnose.figures import Figures, Round, Travel
from baffle.drivers.local.metrics import Row, read_metrics
from baffle.errors import LedgerError
from baffle.ledger import Ledger
from baffle.ledger.replay import decode_row, states
from baffle.protocol import Genesis, Outcome, Plan
from baffle.updates.state import WEIGHTS

MOST_ROUNDS = 2000  # of the ledger's newest that are looked at
STATES = 16  # of the last ones that are averaged
Slot = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Weights:
    """The weights a run had.

    Args:
        first: before round 0; None if they are not stored any more.
        last: after the last stored round.
        mean: of the last states.
        plan: of the last stored round; None before it.
    """

    first: Slot | None
    last: Slot
    mean: Slot
    plan: Plan | None


@dataclass(frozen=True)
class Found:
    """What a folder holds."""

    figures: Figures
    genesis: Genesis
    weights: Weights


def read(folder: Path) -> Found:
    """Return what a run folder says by itself, without a model or data.

    Args:
        folder: run folder, of a finished run or one in progress, a simulation's or a fleet's.

    Raises:
        LedgerError: not a run, or its stored bytes are damaged.
    """
    with Ledger.open(folder) as ledger:
        genesis = Genesis.from_bytes(ledger.genesis)
        if not ledger.snapshots:
            raise LedgerError(f"{folder} holds no weights yet; wait until its first round")
        settings = resolve(genesis.settings)
        last_round = ledger.last_round
        weights, update = _weights(ledger, last_round)
        begin = max(ledger.first_round, last_round - MOST_ROUNDS + 1)
        rows = [r for r in _ascending(folder) if r["round"] <= last_round]
        # Masked directions move fewer entries than the model has.
        dimension = (rows and rows[-1].get("dimension")) or genesis.signature.dimension
        rounds = tuple(_rounds(ledger, begin, last_round, settings, dimension))
    trained = [t for _, t in genesis.signature.trained]
    figures = Figures(
        settings,
        tuple(rows),
        rounds,
        _travel(weights, update),
        tuple(t.name for t in genesis.signature.tensors if not t.trainable),
        tuple(sorted({t.dtype for t in trained})),
        dimension,
    )
    return Found(figures, genesis, weights)


def _ascending(folder: Path) -> list[Row]:
    return sorted(read_metrics(folder), key=lambda row: row["round"])


def _weights(ledger: Ledger, last_round: int) -> tuple[Weights, float]:
    """Return the weights, and how long the last update was beside them."""
    first = ledger.load(0).numpy()[WEIGHTS] if 0 in ledger.snapshots else None
    since = max(ledger.snapshots[0], last_round - STATES + 1)
    kept: list[Slot] = []
    plan = None
    for found in states(ledger, last_round, since):
        kept = [*kept[1 - STATES :], found.state.numpy()[WEIGHTS]]
        plan = found.last.plan if found.last else None
    mean = {name: _mean([slot[name] for slot in kept]) for name in kept[-1]}
    update = _distance(kept[-1], kept[-2]) / _length(kept[-1]) if len(kept) > 1 else math.nan
    return Weights(first, kept[-1], mean, plan), update


def _mean(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        total: NDArray[np.float64] = np.asarray(sum(a.astype(np.float64) for a in arrays))
        return (total / len(arrays)).astype(np.float32)


def _length(slot: Slot) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return math.sqrt(sum(float(np.sum(a.astype(np.float64) ** 2)) for a in slot.values()))


def _distance(one: Slot, other: Slot) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return _length({name: one[name] - other[name] for name in one})


def _travel(weights: Weights, update: float) -> Travel:
    finite = all(bool(np.isfinite(a).all()) for a in weights.last.values())
    if weights.first is None or not finite:
        return Travel(update=update, finite=finite)
    length = _length(weights.first) or math.nan
    moved, grown = _distance(weights.last, weights.first), _length(weights.last)
    return Travel(moved / length, grown / length, update, finite)


def _rounds(
    ledger: Ledger, begin: int, end: int, settings: Settings, dimension: int
) -> Iterator[Round]:
    if end < begin:
        return
    private = settings.privacy.unit != "none"
    for row in ledger.rows(begin, end):
        last = decode_row(row)
        if not last.outcome.abandoned:
            yield round_of(last.plan, last.outcome, dimension, private)


def round_of(plan: Plan, outcome: Outcome, dimension: int, private: bool) -> Round:
    """Return a round's figures.

    Args:
        plan, outcome: as stored.
        dimension: d.
        private: whether clips count vectors rather than derivatives.
    """
    answers = max(1, outcome.reports) * plan.count
    moved = plan.num_directions * plan.sets
    return Round(
        number=plan.round + 1,
        loss=outcome.mean_loss,
        radius=plan.radius,
        step=2.0**plan.step_exponent,
        bits=plan.bits,
        one_sided=plan.estimator.name != "central",
        pairs=plan.estimator.name == "central" or plan.pairs > 1,
        clipped=outcome.clips / (max(1, outcome.weight) if private else answers),
        nonfinite=0.0 if private else outcome.nonfinite / answers,
        rms=math.sqrt(outcome.mean_energy(outcome.energy)),
        odd=math.sqrt(outcome.mean_energy(outcome.odd)),
        even=math.sqrt(outcome.mean_energy(outcome.even)),
        zeros=float(np.mean(outcome.values == 0)),
        gain=plan.num_local_steps * moved / (moved + dimension),
        directions=plan.num_directions,
    )
