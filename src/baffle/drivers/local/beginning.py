"""How a run begins: by which session, and with what is measured of this machine."""

from __future__ import annotations

from baffle.baselines import BASELINES
from baffle.config import Settings
from baffle.drivers.local.baseline import choose_threads, start_baseline
from baffle.drivers.local.engine import choose_engine, cores
from baffle.drivers.local.session import start
from baffle.drivers.local.task import Task
from baffle.drivers.local.training import Begin


def prepared(settings: Settings, task: Task) -> tuple[Settings, Begin]:
    """Return the settings with chunk and threads measured here, and how such a run begins.

    Args:
        settings: of a run of ours or of a baseline.
        task: what is learned.
    """
    if settings.algorithm in BASELINES:
        return choose_threads(settings, task, sorted({1, cores()})), start_baseline
    return choose_engine(settings, task), start
