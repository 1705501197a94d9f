"""A whole run: choose by measurement, train, draw, sum up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save_file

from baffle.backends.torch import initial_weights
from baffle.config import Settings
from baffle.drivers.local.beginning import prepared
from baffle.drivers.local.calibrate import COSTS, Trial, calibrate
from baffle.drivers.local.metrics import Row
from baffle.drivers.local.session import resume
from baffle.drivers.local.task import Task
from baffle.drivers.local.training import Training
from baffle.drivers.zeros import warn_of_zeros
from baffle.errors import LedgerError
from baffle.report import Summary, draw_curves, summarise

MODEL, CURVES = "model.safetensors", "curves.png"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hooks:
    """Who is told what.

    Args:
        on_trial: a calibration trial ended.
        on_start: training begins; gets the complete settings.
        on_round: a round was stored.
        stop: asked at each round's border.
        on_end: the run came to its end, or was stopped at a round's border.
    """

    on_trial: Callable[[Trial], None] = lambda trial: None
    on_start: Callable[[Training], None] = lambda session: None
    on_round: Callable[[Row], None] = lambda row: None
    stop: Callable[[], bool] = lambda: False
    on_end: Callable[[Summary], None] = lambda summary: None


def run(settings: Settings, task: Task, folder: Path, hooks: Hooks = Hooks()) -> Summary:
    """Run a federation into a new folder and return what it came to.

    Args:
        settings: what is "auto" or 0 among step size, chunk and threads is measured first.
        task: model, loss, data; the model ends with the trained (averaged) weights.
        folder: run folder, made if missing.
        hooks: who is told what.
    """
    warn_of_zeros(settings, initial_weights(task.model))
    settings, begin = prepared(settings, task)
    trials: list[Trial] = []
    if settings.update.step_size == "auto":
        step_size, trials = calibrate(settings, task, hooks.on_trial, begin)
        update = settings.update.model_copy(update={"step_size": step_size})
        settings = settings.model_copy(update={"update": update})
    session = begin(settings, task, folder)
    _add_cost(session, trials)
    return _train(session, hooks)


def go_on(folder: Path, task_for: Callable[[Settings], Task], hooks: Hooks = Hooks()) -> Summary:
    """Go on with an interrupted run to its end; the same digests as if it had never stopped."""
    return _train(resume(folder, task_for), hooks)


def _add_cost(session: Training, trials: list[Trial]) -> None:
    """Count what the trials cost into the run's totals: they are part of the training."""
    session.begin_at({name: sum(getattr(t, name) for t in trials) for name in COSTS})


def _train(session: Training, hooks: Hooks) -> Summary:
    try:
        hooks.on_start(session)
        session.run(hooks.on_round, hooks.stop)
        session.load_trained()
        save_file(session.served(), session.folder / MODEL)
    finally:
        session.close()
    if session.log.rows:
        draw_if_possible(session.folder)
    summary = summarise(session.folder)
    hooks.on_end(summary)
    return summary


def draw_if_possible(folder: Path) -> None:
    """Draw a run's curves into its folder, unless there is nothing to draw."""
    try:
        draw_curves([folder], folder / CURVES)
    except LedgerError as problem:  # no round had a finite loss: the run is kept all the same
        logger.warning("no curves: %s", problem)
