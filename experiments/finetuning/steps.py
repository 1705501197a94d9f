"""Step sizes: by training loss alone, of trial runs under another key than any of the study's.

`python -m experiments.finetuning.steps` tries what steps.jsonl lacks: the library's own calibration
for probes, and for FedAvg the best of half powers of ten over a few rounds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "steps.jsonl"
TRIED = tuple(10.0 ** (power / 2) for power in range(-3, 3))
ROUNDS = 6  # of a trial of FedAvg
OTHER_KEY = 2**62


@dataclass(frozen=True)
class Steps:
    """Step sizes of the update by probes (entries move by about as much) and of local SGD."""

    probes: float
    fedavg: float


def known() -> dict[tuple[str, str], Steps]:
    """Return the step sizes that have been found, by task and part."""
    if not FILE.exists():
        return {}
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return {(n["task"], n["part"]): Steps(n["probes"], n["fedavg"]) for n in lines}


def found(settings: Mapping[str, Any]) -> Steps:
    """Return the step sizes of trials for a cell's settings."""
    from baffle.config import resolve
    from baffle.drivers.local.calibrate import calibrate
    from experiments.finetuning.backprop import fedavg
    from experiments.finetuning.tasks import task_of

    chosen = resolve(settings, {"key": 0, "update": {"step_size": "auto"}})
    probes, _ = calibrate(chosen, task_of(chosen))
    cohort = chosen.federation.cohort

    def loss(step: float) -> float:
        return fedavg(task_of(chosen), OTHER_KEY, ROUNDS, cohort, step).loss

    return Steps(probes, float(f"{min(TRIED, key=loss):.3g}"))


def find(task: str, part: str) -> Steps:
    """Try step sizes for a row of the study and store what was found."""
    from experiments.finetuning.study import settings_of

    steps = found(settings_of(task, part))
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"task": task, "part": part} | asdict(steps)) + "\n")
    return steps


if __name__ == "__main__":
    from experiments.finetuning.study import ROWS

    for _row in ROWS:
        if _row not in known():
            print(*_row, find(*_row), flush=True)
