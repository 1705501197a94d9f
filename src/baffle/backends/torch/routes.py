"""The ways from points to losses. Each takes any number of points, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.chunking import (
    batched_chunk,
    drawn_points,
    examples_in_pass,
    mapped_chunk,
)
from baffle.backends.torch.drawing import Drawing
from baffle.backends.torch.examples import arguments, in_parts
from baffle.backends.torch.losses import PointLosses
from baffle.backends.torch.materialise import perturbed_weights
from baffle.backends.torch.moved import Moved, parts_of
from baffle.backends.torch.one_by_one import one_by_one
from baffle.backends.torch.one_point import at_one_point, leaks, parts_differ
from baffle.backends.torch.point_by_point import Writer, scratch
from baffle.backends.torch.randomness import repeatable, seed_of
from baffle.backends.torch.rank_one import bytes_a_point, outputs_at
from baffle.backends.torch.sharing import Memo
from baffle.backends.torch.survey import Survey
from baffle.backends.torch.vmapped import losses_vmapped
from baffle.directions import ModelSignature, Points
from baffle.directions.rank_one import RankOneKind


@dataclass
class Subject:
    """What all routes share: a module with weights loaded, its signature, the user's loss.

    Attributes:
        compiled: whether points one by one go through torch.compile.
        parameters: the trained ones by name.
        random: whether the module draws random numbers in its forward pass.
        memo: what shape inference told the batched pass.
        slow: operations that had no rule in the batched pass.
    """

    module: nn.Module
    signature: ModelSignature
    loss: PointLosses
    drawing: Drawing
    compiled: bool = False
    random: bool = False
    memo: Memo = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parameters = trained_parameters(self.module)
        self.forward = torch.compile(self.module) if self.compiled else self.module


@dataclass(frozen=True)
class Task:
    """What to evaluate: float32 weights, as loaded; points around them; (inputs, targets).

    `numbers` are those of the examples.
    """

    weights: Mapping[str, Any]
    points: Points
    batch: tuple[Any, Any]
    numbers: NDArray[np.int64] | None = None


def forward_seed(subject: Subject, task: Task) -> int | None:
    """Return the seed of a forward pass, None for a module that draws nothing."""
    if not subject.random or task.numbers is None:
        return None
    return seed_of(task.points.place, task.numbers)


class Route(Protocol):
    """A way to evaluate points."""

    @property
    def name(self) -> str:
        """As users see it."""
        ...

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """Return the default number of points (one by one: of examples) a pass.

        It is a function of batch and model alone.
        """
        ...

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """Return the losses [P], `chunk` points (one by one: examples) at a time."""
        ...


def parts(points: Points, size: int) -> Iterator[Points]:
    """Yield the points in parts of `size`, the last one smaller if it must be."""
    for start in range(0, len(points), size):
        yield points.part(start, min(start + size, len(points)))


def _drawn_entries(subject: Subject, points: Points) -> int:
    """Return how many numbers are held for one point's directions."""
    tensors = [tensor for _, tensor in subject.signature.trained]
    if isinstance(points.kind, RankOneKind):
        return sum(sum(t.shape) for t in tensors)
    return sum(t.size for t in tensors)


def trained_bytes(subject: Subject) -> int:
    """Return the memory of the trained parameters."""
    return sum(p.numel() * p.element_size() for p in subject.parameters.values())


def copies(subject: Subject, task: Task, points: Points) -> dict[str, Tensor]:
    """Return perturbed copies of every trained parameter, [P, *shape] by name."""
    return perturbed_weights(subject.parameters, subject.signature, points, task.weights)


@dataclass(frozen=True)
class RankOneRoute:
    """Points folded into the batch axis, base weights shared; see rank_one.py.

    A pass of one point takes `split` examples at a time (0: all).
    """

    share: bool = True
    split: int = 0
    name: str = "rank_one"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """As many points as keep activations in cache."""
        return batched_chunk(survey.moved_peak if self.share else survey.peak_bytes)

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """Draw directions for many chunks at once, then one pass a chunk."""
        drawn = drawn_points(chunk, _drawn_entries(subject, task.points))
        found = [
            loss
            for points in parts(task.points, drawn)
            for loss in self._drawn(subject, replace(task, points=points), chunk)
        ]
        return torch.cat(found)

    def bytes_a_point(self, subject: Subject, task: Task) -> int:
        """Return the bytes of the largest activation that a pass holds for each point."""
        two = replace(task, points=task.points.part(0, 2))
        tracked = self._tracked(subject, two, len(two.points))[0]
        with repeatable(forward_seed(subject, two)):
            return bytes_a_point(subject.module, task.batch[0], len(two.points), tracked)

    def leaks(self, subject: Subject, task: Task) -> bool:
        """Say whether something reads a weight behind the back of a pass of one point."""
        tracked = self._tracked(subject, task, 1)[0]
        return leaks(subject.module, task.batch[0], tracked, forward_seed(subject, task))

    def parts_differ(self, subject: Subject, task: Task, within: float) -> bool:
        """Say whether a pass of one point comes to something else if it takes a batch in parts."""
        tracked = self._tracked(subject, task, 1)[0]
        return parts_differ(subject.module, task.batch[0], tracked, self.split, within)

    def _outputs(
        self, subject: Subject, inputs: Any, points: int, tracked: dict[int, Moved], split: int
    ) -> tuple[Any, set[str]]:
        if points > 1:
            return outputs_at(subject.module, inputs, points, tracked, self.share, subject.memo)
        return at_one_point(subject.module, inputs, tracked, split), set()

    def _tracked(self, subject: Subject, task: Task, chunk: int) -> list[dict[int, Moved]]:
        """Return the parameters' values at the task's points, `chunk` points a pass."""
        deltas = subject.drawing.deltas(task.points, subject.parameters, task.weights)
        own = {id(p): (p.detach(), deltas[name]) for name, p in subject.parameters.items()}
        split = parts_of({key: delta for key, (_, delta) in own.items()}, chunk)
        return [{key: Moved(own[key][0], delta) for key, delta in part.items()} for part in split]

    def _drawn(self, subject: Subject, task: Task, chunk: int) -> Iterator[Tensor]:
        inputs, targets = task.batch
        sizes = (len(part) for part in parts(task.points, chunk))
        for size, tracked in zip(sizes, self._tracked(subject, task, chunk), strict=True):
            with repeatable(forward_seed(subject, task)):
                # Parts of a batch were compared with the whole only where each pass has one point.
                split = self.split if chunk == 1 else 0
                outputs, slow = self._outputs(subject, inputs, size, tracked, split)
            subject.slow |= slow
            yield subject.loss(outputs, targets, size)


@dataclass(frozen=True)
class MappedRoute:
    """torch.vmap over perturbed copies of the weights; see vmapped.py."""

    name: str = "vmapped"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """As many copies as fit into a fixed amount of memory."""
        return mapped_chunk(trained_bytes(subject), survey.moved_peak)

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """One mapped pass a chunk."""
        found = []
        for part in parts(task.points, chunk):
            moved = copies(subject, task, part)
            with repeatable(forward_seed(subject, task)):
                found.append(losses_vmapped(subject.module, moved, task.batch, subject.loss))
        return torch.cat(found)


@dataclass(frozen=True)
class PointByPointRoute:
    """Plain inference with each point's weights in the parameters' place; see point_by_point.py."""

    compiled: bool = False
    name: str = "point_by_point"

    def chunk(self, subject: Subject, survey: Survey) -> int:
        """As many examples as keep activations small; all where random numbers are drawn."""
        if survey.random:
            return survey.examples
        return examples_in_pass(survey.peak_bytes, survey.examples)

    def losses(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        """Plain passes of `chunk` examples; directions are drawn for some points at once."""
        held = drawn_points(1, _drawn_entries(subject, task.points))
        bases = {name: p.detach() for name, p in subject.parameters.items()}
        found: list[Tensor] = []
        with scratch(subject.parameters) as own:
            for part in parts(task.points, held):
                deltas = subject.drawing.deltas(part, bases, task.weights)
                writer = Writer(own, bases, deltas)
                for point in range(len(part)):
                    writer.write(point)
                    found.append(self._loss(subject, task, chunk))
        return torch.stack(found)

    def _loss(self, subject: Subject, task: Task, chunk: int) -> Tensor:
        module = subject.forward if self.compiled else subject.module
        inputs, targets = task.batch

        def run(part: Any) -> Any:
            args, kwargs = arguments(part)
            return module(*args, **kwargs)

        with repeatable(forward_seed(subject, task)):
            return subject.loss.at_point(in_parts(run, inputs, chunk), targets)


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
        with repeatable(forward_seed(subject, task)):
            yield from one_by_one(subject.module, moved, task.batch, subject.loss.loss)
