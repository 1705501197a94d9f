"""Ten cases: a model, a device with its link, and how a client takes part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from baffle.bench.advise.given import Named
from baffle.bench.advise.trial import CHECKPOINTED, PROBES, PROBES_LOW, TRAINING, Trial, words

HERE = "experiments/advice/models.py"
WAYS = (PROBES, PROBES_LOW, TRAINING, CHECKPOINTED)
KIB = 1024


@dataclass(frozen=True)
class Case:
    """One case. Memory in MiB, links in bytes a second.

    Args:
        title: for people.
        named: model and examples.
        batch, directions: B and K of a client's round.
        memory: of the device, Python and torch included.
        up, down: of its link.
        inference_only: whether it can compute no gradients.
        clients, examples: how many there are, and what each has.
    """

    title: str
    named: Named
    batch: int
    directions: int
    memory: float
    up: float = 125e3
    down: float = 1e6
    inference_only: bool = False
    clients: int = 10
    examples: int = 500


CASES = (
    Case("MLP 784-300-100-10", Named(f"{HERE}:digits_mlp", (784,)), 16, 512, 1024),
    Case("LeNet, runtime without gradients", Named("lenet", (1, 28, 28)), 32, 128, 512,
         inference_only=True),
    Case("WRN-10-2, tight memory", Named("wrn", (3, 32, 32), 10), 32, 24, 352),
    Case("MobileNetV2, 96×96", Named(f"{HERE}:mobilenet", (3, 96, 96), 1000), 8, 16, 384),
    Case("language model, 1 kB/s up", Named(f"{HERE}:small_gpt", example=f"{HERE}:token_rows"),
         8, 64, 1024, up=1e3, down=1e4),
    Case("transformer", Named(f"{HERE}:small_transformer", example=f"{HERE}:features"),
         16, 24, 512),
    Case("wide MLP, 17 M weights", Named(f"{HERE}:wide_mlp", (2048,), 100), 4, 64, 448),
    Case("photographs, tight memory", Named(f"{HERE}:photographs", (3, 128, 128)), 16, 12, 448),
    Case("LeNet-5, 50 B/s up", Named("lenet5", (1, 28, 28)), 8, 256, 512, up=50, down=5e3,
         clients=100, examples=50),
    Case("wide MLP, 256 MiB", Named(f"{HERE}:wide_mlp", (2048,), 100), 4, 64, 256),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Measurements of one way in one case: a short one to predict from, then whole rounds."""

    case: Case
    way: str

    @property
    def labels(self) -> dict[str, str]:
        """What tells it from others."""
        return {"case": self.case.title, "way": self.way}

    @property
    def short(self) -> Trial:
        """What the advice measures."""
        return Trial(self.case.named, self.way, self.case.batch, seconds=0.6)

    @property
    def whole(self) -> Trial:
        """Rounds as a client does them."""
        units, case = self.case.directions, self.case
        if self.way in (TRAINING, CHECKPOINTED):
            units = local_steps(case)
        return Trial(case.named, self.way, case.batch, units, 0.0, clients=case.clients, exact=True)

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of what is measured; budgets and links change nothing in it."""
        text = json.dumps([words(self.short), words(self.whole)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def local_steps(case: Case) -> int:
    """Return H of a round of FedAvg in a case: half a pass over a client's examples, at most 16."""
    return max(1, min(16, case.examples // case.batch // 2))


def cells() -> Iterator[Cell]:
    """Yield each measurement once, case by case."""
    seen: set[str] = set()
    for case in CASES:
        for way in WAYS:
            cell = Cell(case, way)
            if cell.id not in seen:
                seen.add(cell.id)
                yield cell


def summary(short: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Return a cell's line's figures."""
    return {"short": short, "whole": whole}
