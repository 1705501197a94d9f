"""One cell of a comparison, worked off: `python -m baffle.api.cell` does so with what it is told.

It reads cells from standard input, one JSON object a line, and answers on standard output; see
`drivers/compare/pool.py`. It ends at once when its input ends.
"""

from __future__ import annotations

import json
import math
import os
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baffle.config import Settings, resolve
from baffle.drivers.compare.resources import costs_of
from baffle.drivers.local.metrics import Row, read_metrics
from baffle.errors import BaffleError

Say = Callable[[dict[str, Any]], None]
Line = dict[str, Any]
EVERY = 0.5  # seconds between words on how it goes
TAIL = 0.25  # share of a trial's last rounds whose losses are averaged, as calibrate does
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
    last = rows[-max(1, round(TAIL * len(rows))) :]
    tail = [math.nan if (loss := row.get("loss")) is None else float(loss) for row in last]
    mean = sum(tail) / len(tail)
    return {
        "loss": mean if math.isfinite(mean) else None,
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
    from baffle.api.client_memory import peak_of_client

    return peak_of_client(settings)


KINDS: Mapping[str, Callable[[Settings, Say], Line]] = {
    "pilot": pilot,
    "trial": trial,
    "run": run,
    "memory": memory,
}


def _trained(settings: Settings, say: Say, *, test: bool) -> tuple[list[Row], Settings]:
    """Run into a folder that is deleted; returns the rows, and the settings as they were run."""
    from dataclasses import replace

    from baffle.api.run import Hooks
    from baffle.api.run import run as train
    from baffle.backends.torch.threads import using_threads
    from baffle.drivers.local.task import task_of
    from baffle.report.runs import read_settings

    task = task_of(settings)
    hooks = Hooks(on_round=_now_and_then(say, settings.rounds))
    with tempfile.TemporaryDirectory(prefix="baffle-compare-") as parent, using_threads(1):
        folder = Path(parent) / "run"
        train(settings, task if test else replace(task, test=None), folder, hooks)
        return read_metrics(folder), read_settings(folder)


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


def _plain(value: Any) -> Any:
    """Return JSON without nan."""
    if isinstance(value, Mapping):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer(asked: Mapping[str, Any], say: Say) -> None:
    """Work off one cell and say what came of it; an error of any kind is said, not raised."""
    try:
        line = work(asked["kind"], resolve(asked["settings"]), say)
        say({"line": _plain(line)})
    except BaffleError as problem:
        say({"error": str(problem)})
    except Exception as problem:  # a cell must not take the worker's other cells with it
        say({"error": f"{type(problem).__name__}: {problem}"})


def main() -> None:
    """Answer cells until standard input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no message
    asked: queue.Queue[Mapping[str, Any]] = queue.Queue()

    def listen() -> None:
        for text in sys.stdin:
            asked.put(json.loads(text))
        os._exit(0)  # whoever asked is gone: do not work on for nobody

    threading.Thread(target=listen, daemon=True).start()

    def say(said: dict[str, Any]) -> None:
        out.write(json.dumps(said, allow_nan=False) + "\n")
        out.flush()

    while True:
        answer(asked.get(), say)


if __name__ == "__main__":
    main()
