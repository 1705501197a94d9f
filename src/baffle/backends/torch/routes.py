"""The three ways from points to losses. Each takes any number of points, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.chunking import batched_chunk, drawn_points, mapped_chunk
from baffle.backends.torch.drawing import Drawing
from baffle.backends.torch.losses import PointLosses
from baffle.backends.torch.materialise import perturbed_weights
from baffle.backends.torch.moved import Moved, parts_of
from baffle.backends.torch.one_by_one import one_by_one
from baffle.backends.torch.rank_one import outputs_at
from baffle.backends.torch.survey import Survey
from baffle.backends.torch.vmapped import losses_vmapped
from baffle.directions import ModelSignature, Points


@dataclass(frozen=True)
class Subject:
    """What all routes share: a module with weights loaded, its signature, the user's loss."""

    module: nn.Module
    signature: ModelSignature
    loss: PointLosses
    drawing: Drawing


@dataclass(frozen=True)
class Task:
    """What to evaluate: float32 weights, as loaded; points around them; (inputs, targets)."""

    weights: Mapping[str, Any]
    points: Points
    batch: tuple[Any, Any]


class Route(Protocol):
    """A way to evaluate points."""

    @property
    def name(self) -> str:
        """As users see it."""
        ...

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """Return the default number of points a pass: a function of batch and model alone."""
        ...

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """Return the losses [P], `chunk` points at a time."""
        ...


def parts(points: Points, size: int) -> Iterator[Points]:
    """Yield the points in parts of `size`, the last one smaller if it must be."""
    for start in range(0, len(points), size):
        yield points.part(start, min(start + size, len(points)))


def copies(subject: Subject, task: Task, points: Points) -> dict[str, Tensor]:
    """Return perturbed copies of every trained parameter, [P, *shape] by name."""
    parameters = trained_parameters(subject.module)
    return perturbed_weights(parameters, subject.signature, points, task.weights)


@dataclass(frozen=True)
class RankOneRoute:
    """Points folded into the batch axis, base weights shared; see rank_one.py."""

    share: bool = True
    name: str = "rank_one"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """As many points as keep activations in cache."""
        return batched_chunk(survey.peak_bytes)

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """Draw directions for many chunks at once, then one pass a chunk."""
        entries = sum(sum(t.shape) for _, t in subject.signature.trained)
        drawn = drawn_points(chunk, entries)
        found = [
            loss
            for points in parts(task.points, drawn)
            for loss in self._drawn(subject, task, points, chunk)
        ]
        return torch.cat(found)

    def _drawn(self, subject: Subject, task: Task, points: Points, chunk: int) -> Iterator[Tensor]:
        parameters = trained_parameters(subject.module)
        deltas = subject.drawing.deltas(points, parameters, task.weights)
        bases = {id(p): p.detach() for p in parameters.values()}
        inputs, targets = task.batch
        for part in parts_of({id(p): deltas[n] for n, p in parameters.items()}, chunk):
            tracked = {key: Moved(bases[key], delta) for key, delta in part.items()}
            size = min(chunk, len(points))
            points = points.part(size, len(points))
            outputs = outputs_at(subject.module, inputs, size, tracked, self.share)
            yield subject.loss(outputs, targets, size)


@dataclass(frozen=True)
class MappedRoute:
    """torch.vmap over perturbed copies of the weights; see vmapped.py."""

    name: str = "vmapped"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """As many copies as fit into a fixed amount of memory."""
        sizes = [p.numel() * p.element_size() for p in trained_parameters(subject.module).values()]
        return mapped_chunk(sum(sizes), survey.peak_bytes)

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """One mapped pass a chunk."""
        return torch.cat(
            [
                losses_vmapped(
                    subject.module, copies(subject, task, part), task.batch, subject.loss
                )
                for part in parts(task.points, chunk)
            ]
        )


@dataclass(frozen=True)
class OneByOneRoute:
    """The slow truth; see one_by_one.py."""

    name: str = "one_by_one"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """One."""
        return 1

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """One forward pass a point."""
        return torch.stack([loss for _, loss in outputs_and_losses(subject, task)])


def outputs_and_losses(subject: Subject, task: Task) -> Iterator[tuple[Any, Tensor]]:
    """Yield (output, loss) at each point by the slow truth, with one perturbed copy in memory."""
    for part in parts(task.points, 1):
        moved = copies(subject, task, part)
        yield from one_by_one(subject.module, moved, task.batch, subject.loss.loss)
