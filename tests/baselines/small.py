"""A federation so small that every baseline runs through it in a moment."""

import numpy as np
import torch
from torch import nn

from baffle.baselines import BASELINES, Work
from baffle.baselines.problem import Problem
from baffle.config import resolve
from baffle.drivers.local.baseline import start_baseline
from baffle.drivers.local.task import own_task

# A step size a baseline that surely learns the task below; K that is enough for 11 parameters.
STEPS = {
    "fedsgd": 1.0,
    "fedavg": 0.5,
    "fedavg-checkpointed": 0.5,
    "forward-gradient": 0.2,
    "fedzo": 0.2,
    "es": 0.2,
    "baffle-reference": 0.2,
}
CLIENTS, EXAMPLES, BATCH, ROUNDS = 3, 40, 16, 10


def task(clients: int = CLIENTS):
    """Two classes of three figures, linearly separable but for some noise."""
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((3, 2))
    parts = []
    for _ in range(clients):
        x = rng.standard_normal((EXAMPLES, 3)).astype(np.float32)
        parts.append((x, (x @ truth + 0.1 * rng.standard_normal((EXAMPLES, 2))).argmax(axis=1)))
    return own_task(linear(), parts, nn.functional.cross_entropy, parts[0])


def linear() -> nn.Module:
    torch_weights = np.random.default_rng(1).standard_normal((2, 3)).astype(np.float32) * 0.1
    module = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        module[0].weight.copy_(torch.from_numpy(torch_weights))
        module[0].bias.zero_()
    return module


def settings(name: str, *sections: dict, clients: int = CLIENTS):
    base = {
        "algorithm": name,
        "rounds": ROUNDS,
        "federation": {"clients": clients, "participation": 1.0},
        "probe": {"batch": BATCH, "num_directions": 8},
        "update": {"step_size": STEPS[name]},
        "engine": {"threads": 1},
        "output": {"evaluate_every": 0},
    }
    return resolve(base, *sections)


def finished(folder, name: str, *sections: dict, clients: int = CLIENTS):
    """Run to the end; return the session."""
    session = start_baseline(settings(name, *sections, clients=clients), task(clients), folder)
    assert session.run()
    return session


def problem(module: nn.Module | None = None) -> Problem:
    return Problem(module or curved(), nn.functional.cross_entropy)


def curved() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


def batch(examples: int = 12):
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(examples, 3, generator=generator)
    return x, torch.randint(2, (examples,), generator=generator)


def work(problem: Problem, step_size: float = 0.1) -> Work:
    weights = torch.cat([p.detach().reshape(-1) for p in curved().parameters()])
    return Work(
        weights, lambda step: batch(), lambda step: torch.Generator().manual_seed(step), step_size
    )


NAMES = tuple(BASELINES)
