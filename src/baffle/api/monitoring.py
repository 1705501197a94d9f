"""A run's hooks and its monitors, brought together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from baffle.api.run import Hooks
from baffle.drivers.local.calibrate import Trial
from baffle.drivers.local.metrics import Row
from baffle.drivers.local.training import Training
from baffle.monitor import Monitor
from baffle.report import Summary


def monitored(monitor: Monitor, hooks: Hooks = Hooks()) -> Hooks:  # noqa: B008
    """Return hooks that tell a monitor as well.

    Args:
        monitor: one, or several from `baffle.monitor.monitors_of`; closing it is the caller's.
        hooks: told first.

    Example:
        >>> from baffle.monitor import monitors_of
        >>> with monitors_of({"tensorboard": {}}) as watching:  # doctest: +SKIP
        ...     baffle.federate(model, data, loss=loss, rounds=400, hooks=monitored(watching))
    """

    def trial(trial: Trial) -> None:
        hooks.on_trial(trial)
        monitor.event(
            "calibration", step_size=trial.step_size, loss=trial.loss, seconds=trial.seconds
        )

    def start(session: Training) -> None:
        hooks.on_start(session)
        monitor.begin(about(session))

    def row(row: Row) -> None:
        hooks.on_round(row)
        monitor.row(row)

    def end(summary: Summary) -> None:
        hooks.on_end(summary)
        monitor.end(json.loads(summary.as_json()))

    return replace(hooks, on_trial=trial, on_start=start, on_round=row, on_end=end)


def about(session: Training) -> Mapping[str, Any]:
    """Return what monitors are told of a run before its first row."""
    return {
        "run": session.run_id.hex(),
        "run_dir": str(session.folder),
        "round": session.state.round,
        "rounds": session.settings.rounds,
        "settings": session.settings.model_dump(mode="json"),
    }
