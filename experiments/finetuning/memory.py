"""Peak memory of a client that holds the whole network: `python -m experiments.finetuning.memory`.

Each figure is a fresh process's peak resident memory; "made" has torch, network and batch and
computes nothing. Lines go to memory.jsonl; a call measures what is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "memory.jsonl"
LENGTH = 256  # tokens of a row
DIRECTIONS = 16
# task, part, examples
CASES = (
    ("plays", "LoRA B", 8),
    ("mobilenet", "head, LoRA B", 32),
    ("plays", "all", 8),
)
WAYS = ("made", "inference", "one point a pass", "16 points a pass", "training step")


def lines(path: Path = FILE) -> list[dict[str, Any]]:
    """Return what has been measured."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Measure what is missing."""
    known = {(line["task"], line["part"], line["examples"]) for line in lines()}
    for case in CASES:
        if case in known:
            continue
        peaks = {way: _peak(way, *case) for way in WAYS}
        line = dict(zip(("task", "part", "examples"), case, strict=True)) | {"peak_mib": peaks}
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


def _peak(way: str, *case: str | int) -> float:
    command = [sys.executable, "-m", "experiments.finetuning.memory", way, *map(str, case)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measured(way: str, task: str, part: str, examples: int) -> float:
    """Return this process's peak in MiB after one way of computing; for a fresh process."""
    import numpy as np
    import torch

    from baffle.backends.torch import TorchProbe, initial_weights
    from baffle.bench.sides.probes import points_of
    from baffle.drivers.local.task import TensorExamples
    from baffle.drivers.resident import peak_mib

    torch.set_num_threads(1)
    model, inputs, targets, loss = _given(task, part, examples)
    if way == "inference":
        with torch.inference_mode():
            model(inputs)
    elif way == "training step":
        trained = [p for p in model.parameters() if p.requires_grad]
        torch.autograd.grad(loss(model(inputs), targets), trained)
    elif way != "made":
        alone = way == WAYS[2]
        chunk = 1 if alone else DIRECTIONS
        held = TensorExamples(inputs, targets)
        probe = TorchProbe(model, loss, held, chunk, 1, low_memory=alone)
        points = points_of(probe, DIRECTIONS, 0)
        probe(initial_weights(model), points, np.arange(examples))
    return peak_mib()


def _given(task: str, part: str, examples: int) -> tuple[Any, Any, Any, Any]:
    import torch
    from torch.nn.functional import cross_entropy

    from experiments.finetuning import images, language
    from experiments.finetuning.parts import PARTS

    if task == "plays":
        model, loss = language.network(), language.token_loss
        inputs = torch.arange(examples * LENGTH).view(examples, LENGTH) % 500
        return PARTS[task][part](model, key=0), inputs, inputs, loss
    side = images.SIDES.get(task, 32)
    inputs = torch.linspace(-1, 1, examples * 3 * side**2).view(examples, 3, side, side)
    model = PARTS[task][part](images.network(task), key=0)
    return model, inputs, torch.arange(examples) % 10, cross_entropy


if __name__ == "__main__":
    if len(sys.argv) == 5:
        print(measured(*sys.argv[1:4], int(sys.argv[4])))
    else:
        main()
