"""How far a stored run's estimates are from the gradient, beside what two formulas say.

N clients of one weight are asked of M, and dealt to G groups of n = N/G; d entries, K directions a
group. Errors are squared and relative to |∇F|². s² = h² + b²: how far a client's gradient is from
∇F, because its data are others (h²) and because a batch is not all of them (b²).

    design     d/(K·G) + (d/K + 1)·s²/N
    dealt      (d-1)/(K·G) + (d-1)/K·(h²·(M-n)/(M-1) + b²)/N + (h²·(M-N)/(M-1) + b²)/N

The first has clients drawn from an endless crowd. In the second none is drawn twice: what one has
too much, others have too little. Where all are asked, M = N, h² moves no mean of all, and at G = 1
it is gone; this is what the number of groups then brings back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from baffle.config import resolve
from baffle.drivers.local.task import Task, task_of
from baffle.ledger import Ledger
from baffle.ledger.replay import states
from baffle.protocol import Genesis, Last, Rules
from baffle.updates import TrainState
from experiments.groups.gradients import Truth, truth

MOST = 6  # sets of weights of a run that are looked at, evenly spaced; all rounds at one set


@dataclass(frozen=True)
class Sizes:
    """What the formulas know: d, K, G, N, M."""

    entries: int
    directions: int
    groups: int
    asked: int
    clients: int


def design(sizes: Sizes, between: float, within: float) -> float:
    """Return d/(K·G) + (d/K + 1)·s²/N.

    Example:
        >>> round(design(Sizes(640, 64, 5, 20, 20), between=3.0, within=1.0), 3)
        4.2
    """
    each = sizes.entries / sizes.directions
    return each / sizes.groups + (each + 1) * (between + within) / sizes.asked


def dealt(sizes: Sizes, between: float, within: float) -> float:
    """Return the error where nobody is drawn twice and groups are dealt.

    Example:
        >>> dealt(Sizes(641, 64, 1, 20, 20), between=3.0, within=0.0)
        10.0
    """
    each, asked, crowd = (sizes.entries - 1) / sizes.directions, sizes.asked, sizes.clients
    in_group = between * (crowd - asked / sizes.groups) / (crowd - 1) + within
    in_round = between * (crowd - asked) / (crowd - 1) + within
    return each / sizes.groups + (each * in_group + in_round) / asked


def measured(folder: Path) -> Mapping[str, Any]:
    """Return what some rounds of a run folder come to: a row a round."""
    with Ledger.open(folder) as ledger:
        genesis = Genesis.from_bytes(ledger.genesis)
        settings = resolve(genesis.settings)
        task, rules = task_of(settings), replace(Rules.of(genesis), normalised=False)
        still = settings.update.optimiser == "sgd"
        every = 1 if still else max(1, ledger.last_round // MOST)
        exact, rows = None, []
        for state, last in _rounds(ledger):
            if last.plan.round % every == 0:
                exact = exact if exact and still else truth(task, state.weights, last.plan.batch)
                rows.append(_row(rules, state, last, exact, task))
    return {"estimates": rows}


def _rounds(ledger: Ledger) -> Iterator[tuple[TrainState, Last]]:
    """Yield each round with the state that it began with."""
    before = None
    for found in states(ledger, since=0):
        if before is not None and found.last is not None:
            yield before, found.last
        before = found.state


def _row(rules: Rules, state: TrainState, last: Last, exact: Truth, task: Task) -> dict[str, float]:
    plan, found = last.plan, rules.estimate(state, last.plan, last.outcome)
    off = sum(float(np.sum((found[n] - g) ** 2)) for n, g in exact.gradient.items())
    sizes = Sizes(
        rules.signature.dimension,
        plan.num_directions,
        plan.sets,
        last.outcome.weight,
        len(task.rows),
    )
    return {
        "round": plan.round,
        "error": off / exact.norm,
        "design": design(sizes, exact.between, exact.within),
        "dealt": dealt(sizes, exact.between, exact.within),
        "between": exact.between,
        "within": exact.within,
    }
