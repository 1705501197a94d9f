"""Step sizes chosen by the loss on the train rows, in a file that the cells are made from.

    python -m experiments NAME --only what=tune        runs the cells of tuning
    python -m experiments.participation.steps NAME     writes steps.json from what they came to
    python -m experiments NAME                         runs the cells that take these step sizes

A cell of tuning has the labels kind, by which the file names its step size, and step.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.harness.results import Results, missing, replace_text, results_of
from experiments.harness.study import Study, load

FILE = "steps.json"
TUNE = "tune"
Steps = Mapping[str, float]


def read_steps(folder: Path) -> Steps:
    """Return the chosen step sizes by kind; none if there is no file yet."""
    path = folder / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def tried(results: Results) -> dict[str, dict[float, float]]:
    """Return the loss on all train rows at the end of each run of tuning, by kind and step size.

    That of a run that diverged is infinite.
    """
    found: dict[str, dict[float, float]] = {}
    for result in results.select(what=TUNE):
        labels = result.cell.labels
        losses = found.setdefault(str(labels["kind"]), {})
        loss = result.figure("train_loss")
        losses[float(labels["step"])] = math.inf if math.isnan(loss) else loss
    return found


def best(study: Study) -> dict[str, float]:
    """Return the step size of the least loss by kind, of kinds whose tuning is complete."""
    waiting = {cell.labels.get("kind") for cell in missing(study)}
    return {
        kind: min(losses, key=lambda step: losses[step])
        for kind, losses in tried(results_of(study)).items()
        if kind not in waiting
    }


def as_text(losses: Mapping[float, float]) -> str:
    """Return losses by step size in a line, the least in bold.

    Example:
        >>> as_text({0.02: 0.5, 0.06: 0.25})
        '0.02: 0.500, **0.06: 0.250**'
    """
    least = min(losses.values())
    texts = [(f"{step:g}: {_short(loss)}", loss) for step, loss in losses.items()]
    return ", ".join(f"**{text}**" if loss == least else text for text, loss in texts)


def _short(loss: float) -> str:
    return f"{loss:.3f}" if loss < 1000 else f"{loss:.0e}"


def main(arguments: Sequence[str]) -> int:
    """Write the file of a study, and say how many kinds are still to be tuned."""
    (name,) = arguments
    study = load(name)
    chosen = best(study)
    text = json.dumps(chosen, indent=1, ensure_ascii=False) + "\n"
    replace_text(study.folder / FILE, text)
    kinds = {cell.labels["kind"] for cell in study.cells if cell.labels["what"] == TUNE}
    sys.stdout.write(f"{name}: {len(chosen)} of {len(kinds)} step sizes chosen\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
