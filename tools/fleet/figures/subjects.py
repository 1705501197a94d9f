"""Models and data that figures are taken with. What the data show does not matter to a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baffle.data import load
from baffle.models import build

EXAMPLES = 8  # of a client, and as many held out
WIDE = 3162  # 3162² weights and as many biases: ten million
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Subject:
    """A model and its data.

    Args:
        name: in the figures.
        model: makes the model.
        data: a node's configuration to ((inputs, targets), the same held out).
    """

    name: str
    model: Callable[[], nn.Module]
    data: Callable[[Mapping[str, Any]], tuple[Pair, Pair]]

    @property
    def parameters(self) -> int:
        """Trained parameters."""
        return sum(p.numel() for p in self.model().parameters())


def _digits(node: Mapping[str, Any]) -> tuple[Pair, Pair]:
    found, number = load("digits"), int(node["partition-id"])
    train = slice(number * EXAMPLES, (number + 1) * EXAMPLES)
    held_out = slice(number % 40 * EXAMPLES, (number % 40 + 1) * EXAMPLES)
    return (
        (torch.from_numpy(found.train_x[train]), torch.from_numpy(found.train_y[train])),
        (torch.from_numpy(found.test_x[held_out]), torch.from_numpy(found.test_y[held_out])),
    )


def _chance(shape: tuple[int, ...]) -> Callable[[Mapping[str, Any]], tuple[Pair, Pair]]:
    """Return a maker of random examples of a shape, in 10 classes."""

    def data(node: Mapping[str, Any]) -> tuple[Pair, Pair]:
        chance = torch.Generator().manual_seed(int(node["partition-id"]))
        inputs = torch.randn((2 * EXAMPLES, *shape), generator=chance)
        targets = torch.randint(0, 10, (2 * EXAMPLES,), generator=chance)
        return (inputs[:EXAMPLES], targets[:EXAMPLES]), (inputs[EXAMPLES:], targets[EXAMPLES:])

    return data


def _wide() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(WIDE, WIDE)


MLP = Subject("mlp, digits", lambda: build("mlp", (64,), 10, seed=0), _digits)
LENET5 = Subject("LeNet-5", lambda: build("lenet5", (1, 28, 28), 10, seed=0), _chance((1, 28, 28)))
LINEAR = Subject("one layer, 3,162 × 3,162", _wide, _chance((WIDE,)))
