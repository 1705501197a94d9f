"""Small models, exported once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from baffle.drivers.export import export

EXAMPLES = 11


def small_perceptron() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


def small_convolutions() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, bias=False),
        nn.BatchNorm2d(6),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )


def some_examples(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    return torch.randn(EXAMPLES, *shape), torch.randint(3, (EXAMPLES,))


@pytest.fixture(scope="session")
def perceptron(tmp_path_factory) -> Path:
    return _exported(tmp_path_factory, small_perceptron(), some_examples(5), (4,), 4)


@pytest.fixture(scope="session")
def convolutions(tmp_path_factory) -> Path:
    return _exported(tmp_path_factory, small_convolutions(), some_examples(2, 6, 6), (4,), 3)


def _exported(tmp_path_factory, module, examples, points, batch) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    export(module, nn.functional.cross_entropy, examples, folder, points, batch)
    return folder


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to
