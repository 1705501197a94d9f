"""What is timed: work of so many rows, made by a side at a setting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from baffle.bench.modules import Subject, batch_of, module_of

TURNS = "point_by_point"  # the route whose chunk counts examples
SIGMA = 2.0**-9  # of every side that perturbs; speed does not depend on it


@dataclass(frozen=True)
class Setting:
    """What a side may choose: rows, points or copies at once, as the side counts; threads; a route.

    Only probes have routes; of "point_by_point" the chunk counts examples.
    """

    chunk: int
    threads: int
    route: str = ""


@dataclass(frozen=True)
class Work:
    """A call and how many rows (examples times directions) it evaluates."""

    rows: int
    run: Callable[[], object]


@dataclass(frozen=True, eq=False)
class Case:
    """A module, B examples for it and K directions, on a device; how probes evaluate it."""

    subject: Subject
    examples: int
    directions: int
    device: str
    module: nn.Module
    batch: tuple[Any, Any]
    precision: str = "own"
    compiled: bool = False

    @property
    def title(self) -> str:
        """What is measured, for people."""
        return f"{self.subject.name}, {self.examples} examples"

    @property
    def rows(self) -> int:
        """Rows in all, K·B."""
        return self.directions * self.examples

    def own_module(self) -> nn.Module:
        """Return a copy, for sides that write to weights."""
        return copy.deepcopy(self.module)

    def tiled(self, rows: int) -> tuple[Any, Any]:
        """Return (inputs, targets) of that many rows: the batch, again and again."""
        index = torch.arange(rows, device=self.device) % self.examples
        inputs, targets = self.batch
        return inputs[index], targets[index]

    def points(self, most: int, chunk: int = 1) -> int:
        """Return the directions that make about `most` rows: whole chunks, at least one."""
        wanted = max(1, min(most // self.examples, self.directions))
        chunk = min(chunk, self.directions)
        return wanted if wanted == self.directions else max(1, wanted // chunk) * chunk


def case_of(
    subject: Subject,
    examples: int,
    directions: int,
    device: str,
    precision: str = "own",
    compiled: bool = False,
) -> Case:
    """Return a case with its module and batch made from fixed seeds."""
    module, batch = module_of(subject, device), batch_of(subject, examples, device)
    return Case(subject, examples, directions, device, module, batch, precision, compiled)


class Side(Protocol):
    """A way to evaluate rows.

    Attributes:
        unit: rows in one unit of its chunk.
    """

    unit: int

    def chunks(self) -> tuple[int, ...]:
        """Return the chunks worth trying, ascending."""
        ...

    def routes(self) -> dict[str, tuple[int, ...]]:
        """Return the chunks worth trying, by route: one without a name where there is no choice."""
        return {"": self.chunks()}

    def work(self, setting: Setting, most: int) -> Work:
        """Return work of about `most` rows, at least a chunk and at most all; ready to be timed."""
        ...


def powers(low: int, high: int, factor: int = 2) -> tuple[int, ...]:
    """Return low, `factor` times that, … and high.

    Example:
        >>> powers(8, 48)
        (8, 16, 32, 48)
    """
    found = []
    while low < high:
        found.append(low)
        low *= factor
    return (*found, high)


def mean_loss(case: Case, output: Any, targets: Tensor) -> Tensor:
    """Return the subject's loss, in float32 whatever the output's type."""
    return case.subject.loss(output.float(), targets)
