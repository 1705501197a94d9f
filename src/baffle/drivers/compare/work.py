"""A cell's settings to its line of figures: a short run, a whole one, or a client's memory."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from baffle.algorithms.tuning import end_loss
from baffle.config import Settings
from baffle.drivers.compare.resources import costs_of
from baffle.drivers.local.metrics import Row

Say = Callable[[dict[str, Any]], None]
Line = dict[str, Any]
EVERY = 0.5  # seconds between words on how it goes
FIGURES = ("loss", "test_accuracy", "test_loss")


def work(kind: str, settings: Settings, say: Say = lambda said: None) -> Line:
    """Return a cell's figures.

    Args:
        kind: pilot, trial, run or memory.
        settings: complete.
        say: told how it goes on.

    Raises:
        BaffleError: the settings do not go together, or data are missing.
    """
    return KINDS[kind](settings, say)


def pilot(settings: Settings, say: Say) -> Line:
    """Return the running costs of a few rounds and the engine that was chosen for them."""
    rows, used = _trained(settings, say, test=False)
    return {
        "costs": [costs_of(row, settings.federation.clients) for row in rows],
        "engine": used.engine.model_dump(mode="json"),
        "dimension": rows[-1].get("dimension"),
    }


def trial(settings: Settings, say: Say) -> Line:
    """Return the training loss at the end of a tuning trial, null if it diverged, and its costs."""
    rows, _ = _trained(settings, say, test=False)
    loss = end_loss([row.get("loss") for row in rows])
    return {
        "loss": loss if math.isfinite(loss) else None,
        "rounds": settings.rounds,
        "costs": costs_of(rows[-1], settings.federation.clients),
    }


def run(settings: Settings, say: Say) -> Line:
    """Return a run's evaluated rounds: what was used up to there, and how good the weights are."""
    rows, _ = _trained(settings, say, test=True)
    clients = settings.federation.clients
    tested = [row for row in rows if row.get("test_accuracy") is not None]
    curve = [costs_of(row, clients) | {n: row.get(n) for n in FIGURES} for row in tested]
    return {
        "step_size": settings.update.step_size,
        "rounds": settings.rounds,
        "curve": curve,
        "dimension": rows[-1].get("dimension"),
    }


def memory(settings: Settings, say: Say) -> Line:
    """Return a client's peak memory, measured in a fresh process that holds its examples alone."""
    from baffle.drivers.compare.client_memory import peak_of_client

    return peak_of_client(settings)


KINDS: Mapping[str, Callable[[Settings, Say], Line]] = {
    "pilot": pilot,
    "trial": trial,
    "run": run,
    "memory": memory,
}


def _trained(settings: Settings, say: Say, *, test: bool) -> tuple[list[Row], Settings]:
    """Run into a folder that is deleted; returns the rows, and the settings as they were run.

    It is `baffle run` without what follows a run: no curves are drawn, no model is written.
    """
    from baffle.backends.torch.threads import using_threads
    from baffle.drivers.local.beginning import prepared
    from baffle.drivers.local.task import task_of

    task = task_of(settings)
    task = task if test else replace(task, test=None)
    with tempfile.TemporaryDirectory(prefix="baffle-compare-") as parent, using_threads(1):
        chosen, begin = prepared(settings, task)
        session = begin(chosen, task, Path(parent) / "run")
        try:
            session.run(_now_and_then(say, settings.rounds))
        finally:
            session.close()
    return session.log.rows, session.settings


def _now_and_then(say: Say, rounds: int) -> Callable[[Row], None]:
    last = time.monotonic()

    def told(row: Row) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            loss = row.get("loss")
            known = loss if loss is not None and math.isfinite(loss) else None
            say({"progress": {"round": row["round"], "rounds": rounds, "loss": known}})

    return told
