"""Step sizes, once a task and form: the library's own calibration, by training loss.

`python -m experiments.compressed.steps` tries what steps.jsonl lacks, under a key of its own. Five
trials of sixteen rounds are a noisy judge: forms of one task whose weights are floats share the
median of what stands there for each of them, so that a difference between forms is none of steps.
CIFAR-10's lines were written by hand; README.md says how they and this rule came about.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from experiments.compressed.forms import FORMS

FILE = Path(__file__).parent / "steps.jsonl"
OTHER_KEY = 2**62


def known() -> dict[tuple[str, str], float]:
    """Return the step sizes that have been found, by task and form."""
    if not FILE.exists():
        return {}
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return {(line["task"], line["form"]): line["step_size"] for line in lines}


def step_of(task: str, form: str) -> float | None:
    """Return the step size of a task in a form, None while it is not known."""
    steps = known()
    if FORMS[form].own_step:
        return steps.get((task, form))
    floats = [name for name in FORMS if not FORMS[name].own_step]
    if not all((task, name) in steps for name in floats):
        return None
    return statistics.median_low(steps[task, name] for name in floats)


def find(task: str, form: str) -> float:
    """Try step sizes for a task in a form and store the one of the least training loss."""
    from baffle.config import resolve
    from baffle.drivers.local.calibrate import calibrate
    from experiments.compressed.study import settings_of
    from experiments.compressed.tasks import task_of

    settings = resolve(settings_of(task, form), {"key": OTHER_KEY, "update": {"step_size": "auto"}})
    step_size, _ = calibrate(settings, task_of(settings))
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"task": task, "form": form, "step_size": step_size}) + "\n")
    return step_size


if __name__ == "__main__":
    from experiments.compressed.study import ROWS

    for _row in ROWS:
        if _row not in known():
            print(*_row, find(*_row), flush=True)
