"""What was measured for earlier runs of the same form: one small JSON file, safe to delete.

    $XDG_CACHE_HOME/baffle/engine.json, or ~/.cache/baffle/engine.json
    {"format": 2, "choices": {key: {"chunk": …, "threads": …, "clients": …, "route": …}, …}}

A key is a hash over all that decides: torch, the processor, the model and its batch, what the run
asks. The file only saves a second. Content that is damaged or not ours is no error, nor is a folder
that cannot be written to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from baffle.backends.torch import model_signature
from baffle.backends.torch.clients import shapes
from baffle.cohort import cohort_size
from baffle.config import Settings
from baffle.drivers.local.task import Task
from baffle.protocol import Plan

logger = logging.getLogger(__name__)
FORMAT = 2
MOST_BYTES, MOST_CHOICES = 2**20, 500
Choice = dict[str, int | str]


def key_of(settings: Settings, task: Task, plan: Plan) -> str:
    """Return the name of what is measured: a hash over all that decides what is fastest."""
    f = settings.federation
    rows = task.rows[0][: plan.batch or None]
    decides = {
        "torch": torch.__version__,
        "processor": _processor(),
        "cores": [os.cpu_count(), _affinity()],
        "module": hashlib.sha256(str(task.model).encode()).hexdigest(),
        "signature": _form(task),
        "batch": str(shapes(task.train.batch(rows))),
        "asked": cohort_size(f.clients, f.participation, f.cohort),
        "plan": [plan.num_directions, plan.num_local_steps, plan.probes, plan.batch],
        "kind": [plan.kind_code, plan.density_steps],
        "given": settings.engine.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _form(task: Task) -> str:
    """Return the model's tensors, without the values of those that are not trained."""
    text = "\n".join(map(str, model_signature(task.model).tensors))
    return hashlib.sha256(text.encode()).hexdigest()


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return f"{platform.machine()} {platform.processor()}"


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def path() -> Path | None:
    """Return where the file lies, None where there is no home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "baffle" / "engine.json"


def recall(key: str) -> Choice | None:
    """Return what was chosen under a key; None if nothing usable is known."""
    return _read().get(key)


def keep(key: str, choice: Choice) -> None:
    """Remember a choice, the newest last; the oldest go when there are too many."""
    choices = {**{k: c for k, c in _read().items() if k != key}, key: choice}
    newest = dict(list(choices.items())[-MOST_CHOICES:])
    try:
        _write(json.dumps({"format": FORMAT, "choices": newest}))
    except OSError as problem:
        logger.info("the choice is not kept for the next run: %s", problem)


def _read() -> dict[str, Choice]:
    """Return the file's choices, leaving out all that is not one."""
    file = path()
    try:
        if file is None or file.stat().st_size > MOST_BYTES:
            return {}
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(value, dict) and value.get("format") == FORMAT
    choices = value.get("choices") if ours else None
    return {k: c for k, c in choices.items() if _usable(c)} if isinstance(choices, dict) else {}


def _usable(choice: Any) -> bool:
    numbers = ("chunk", "threads", "clients")
    return (
        isinstance(choice, dict)
        and sorted(choice) == sorted((*numbers, "route"))
        and all(type(choice[name]) is int and choice[name] > 0 for name in numbers)
        and isinstance(choice["route"], str)
    )


def _write(text: str) -> None:
    """Write the file anew; who reads meanwhile sees the old one or the new one."""
    file = path()
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(prefix="engine-", suffix=".new", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        Path(fresh).replace(file)
    except OSError:
        Path(fresh).unlink(missing_ok=True)
        raise
