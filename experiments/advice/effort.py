"""How many more evaluations than training examples does learning by probes take, by dimension?

Digits, one pool of examples for both sides, test accuracy 0.95. Probes: `baffle run` with ten IID
clients. Training: Adam on batches of 32. Both have a cosine step size over several lengths, three
step sizes each; of a length the step size with the least training loss counts, and of all lengths
the one that comes to 0.95 after the fewest evaluations.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from baffle.data import load
from baffle.models import build

TARGET = 0.95
MODELS: dict[str, dict[str, Any]] = {
    "mlp 16": {"name": "mlp", "options": {"widths": [16]}},
    "mlp 64": {"name": "mlp", "options": {"widths": [64]}},
    "mlp 256": {"name": "mlp", "options": {"widths": [256]}},
    "mlp 256, 256": {"name": "mlp", "options": {"widths": [256, 256]}},
}
DIRECTIONS, CLIENTS = 512, 10
LENGTHS = {"probes": (150, 400, 1000, 2500), "training": (50, 100, 200, 400)}
STEP_SIZES = {"probes": (0.03, 0.1), "training": (0.003, 0.01, 0.03)}
BATCH = 32
POINTS = 30  # evaluations on the test set a run


def probes(model: str, rounds: int, step_size: float) -> dict[str, Any]:
    """Run a federation by probes and return what it came to, and after how many evaluations."""
    from baffle.api.run import run
    from baffle.config import resolve
    from baffle.drivers.local.metrics import read_metrics
    from baffle.drivers.local.task import task_of

    settings = resolve(
        {
            "rounds": rounds,
            "model": MODELS[model],
            "data": {"name": "digits", "partition": "iid", "partition_options": {}},
            "federation": {"clients": CLIENTS, "participation": 1.0},
            "probe": {"num_directions": DIRECTIONS, "batch": 1},
            "update": {"step_size": step_size, "schedule": "cosine"},
            "engine": {"threads": 1, "chunk": 64, "clients": CLIENTS},
            "output": {"evaluate_every": max(1, rounds // POINTS)},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        run(settings, task_of(settings), Path(folder) / "run")
        rows = read_metrics(Path(folder) / "run")
    curve = [
        (row["example_evaluations"], row["test_accuracy"]) for row in rows if "test_accuracy" in row
    ]
    last = [row["loss"] for row in rows[-max(1, rounds // 10) :]]
    dimension = rows[-1]["dimension"]
    return _summary(dimension, curve, sum(last) / len(last))


def training(model: str, steps: int, step_size: float) -> dict[str, Any]:
    """Train by back-propagation and return the same."""
    data, form = load("digits"), MODELS[model]
    module = build(form["name"], data.in_shape, data.classes, 0, **form["options"])
    x, y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
    chance = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(module.parameters(), step_size, (0.9, 0.99))
    curve, losses = [], []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = step_size * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(len(x), (BATCH,), generator=chance)
        optimiser.zero_grad()
        loss = functional.cross_entropy(module(x[rows]), y[rows])
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % max(1, steps // POINTS) == 0:
            curve.append(((step + 1) * BATCH, _accuracy(module, data)))
    last = losses[-max(1, steps // 10) :]
    dimension = sum(p.numel() for p in module.parameters())
    return _summary(dimension, curve, sum(last) / len(last))


def _accuracy(module: torch.nn.Module, data: Any) -> float:
    with torch.no_grad():
        found = module(torch.from_numpy(data.test_x)).argmax(1)
    return float((found == torch.from_numpy(data.test_y)).float().mean())


def _summary(dimension: int, curve: list[tuple[int, float]], loss: float) -> dict[str, Any]:
    reached = [count for count, accuracy in curve if accuracy >= TARGET]
    return {
        "dimension": dimension,
        "examples": reached[0] if reached else None,
        "best": max(accuracy for _, accuracy in curve),
        "training_loss": loss,
    }


WAYS = {"probes": probes, "training": training}


def effort(model: str, way: str) -> list[dict[str, Any]]:
    """Return what each run came to, lengths ascending, up to the first that reaches the target.

    Longer ones reach it after more evaluations, since their step size stays large for longer.
    """
    found: list[dict[str, Any]] = []
    for length in LENGTHS[way]:
        runs = [
            {"length": length, "step_size": size, **WAYS[way](model, length, size)}
            for size in STEP_SIZES[way]
        ]
        found += runs
        if min(runs, key=lambda run: run["training_loss"])["examples"] is not None:
            break
    return found
