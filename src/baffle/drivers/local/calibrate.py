"""Choose the step size by short trials, since its scale decides more than anything else.

A long run wants a smaller step than a short one: what the trials prefer is scaled by the cube root
of their length over the run's, the rule that Bjorck et al., "Scaling Optimal LR Across Token
Horizons" (2024), found for Adam; without it five keys of the digits lost up to 2.5 % of accuracy.

Each trial is a whole small federation from the same start under another key: its own schedule,
`share` of the rounds, no evaluation, its ledger thrown away. The step sizes go up and down by
factors of two from a start until the training loss that the clients report stops falling. Test
data take no part. What the trials cost is counted in the run's totals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from baffle.algorithms.tuning import OURS, TUNINGS, Tuning, end_loss, for_length, trial_key
from baffle.backends.torch import initial_weights, load_weights
from baffle.baselines import BASELINES
from baffle.config import Settings, require_together
from baffle.drivers.local.session import start
from baffle.drivers.local.task import Task
from baffle.drivers.local.training import Begin

MAX_TRIALS = 5
SHARE, MIN_ROUNDS = 0.05, 16


@dataclass(frozen=True)
class Trial:
    """One step size: the mean loss at its end, and what finding it cost."""

    step_size: float
    loss: float
    probes: int
    example_evaluations: int
    seconds: float
    bytes_up: int
    bytes_down: int
    gradient_examples: int = 0


COSTS = tuple(field.name for field in fields(Trial))[2:]


def calibrate(
    settings: Settings,
    task: Task,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    begin: Begin = start,
) -> tuple[float, list[Trial]]:
    """Return the step size for the run, and all trials.

    It is that of the trial that ended with the least loss, scaled to the run's length.

    Args:
        settings: of the run; its step size is not looked at.
        task: of the run; the model's weights are the same after.
        on_trial: called after each.
        begin: how a trial is begun.

    Raises:
        ConfigError: settings that do not go together; with privacy, no trial may look at the data.
    """
    require_together(settings)
    trials: dict[int, Trial] = {}
    tuning = tuning_of(settings.algorithm)

    def loss(power: int) -> float:
        if power not in trials:
            trials[power] = _try(settings, task, tuning.start * tuning.factor**power, begin)
            on_trial(trials[power])
        return trials[power].loss

    best = 0
    for direction in (1, -1):
        while len(trials) < MAX_TRIALS and loss(best + direction) < loss(best):
            best += direction
    step_size = for_length(trials[best].step_size, trial_rounds(settings), settings.rounds)
    return step_size, list(trials.values())


def tuning_of(algorithm: str) -> Tuning:
    """Return where the search for an algorithm's step size begins, and its factor.

    Example:
        >>> tuning_of("baffle")
        Tuning(start=0.04, factor=2.0)
    """
    return BASELINES[algorithm].tuning if algorithm in BASELINES else TUNINGS.get(algorithm, OURS)


def trial_rounds(settings: Settings) -> int:
    """Return the rounds of one trial."""
    return max(MIN_ROUNDS, round(SHARE * settings.rounds))


def _try(settings: Settings, task: Task, step_size: float, begin: Begin) -> Trial:
    rounds = trial_rounds(settings)
    tried = settings.model_copy(
        update={
            "key": trial_key(settings.key),
            "rounds": rounds,
            "update": settings.update.model_copy(update={"step_size": step_size}),
            "secure": settings.secure.model_copy(update={"simulate": "sum"}),  # the same sums
            "output": settings.output.model_copy(
                update={"evaluate_every": 0, "snapshot_every": 2**31}
            ),
        }
    )
    initial = initial_weights(task.model)
    with tempfile.TemporaryDirectory(prefix="baffle-trial-") as folder:
        session = begin(tried, replace(task, test=None), Path(folder))
        try:
            session.run()
            rows = session.log.rows
        finally:
            session.close()
            load_weights(task.model, initial)  # the next trial and the run begin where this one did
    cost = {name: rows[-1].get(name, 0) for name in COSTS}
    return Trial(step_size, end_loss([row["loss"] for row in rows]), **cost)
