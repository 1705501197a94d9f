"""The three ways from points to losses. Each takes any number of points, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from baffle.backends.torch.adapter import Weights, trained_parameters
from baffle.backends.torch.chunking import batched_chunk, drawn_points, mapped_chunk
from baffle.backends.torch.losses import PointLosses
from baffle.backends.torch.materialise import perturbed_weights
from baffle.backends.torch.moved import Moved, moved, part_of
from baffle.backends.torch.one_by_one import one_by_one
from baffle.backends.torch.rank_one import outputs_at
from baffle.backends.torch.survey import Survey
from baffle.backends.torch.vmapped import losses_vmapped
from baffle.directions import ModelSignature, Points

Batch = tuple[Any, Any]


@dataclass(frozen=True)
class Subject:
    """A module with weights loaded, its signature, and the user's loss."""

    module: nn.Module
    signature: ModelSignature
    loss: PointLosses

    def tracked(self, weights: Weights, points: Points) -> dict[int, Moved]:
        """Return every trained parameter at the points, by the parameter's id."""
        factors, scales = points.factors(self.signature, weights), points.scales(self.signature)
        parameters = trained_parameters(self.module)
        return {id(p): moved(p, factors[name], scales[name]) for name, p in parameters.items()}

    def copies(self, weights: Weights, points: Points) -> dict[str, Tensor]:
        """Return perturbed copies of every trained parameter, [P, *shape] by name."""
        return perturbed_weights(trained_parameters(self.module), self.signature, points, weights)


class Route(Protocol):
    """A way to evaluate points."""

    name: str

    def chunk(self, survey: Survey, subject: Subject) -> int:
        """Return the default number of points a pass."""
        ...

    def losses(self, subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Tensor:
        """Return the losses [P]."""
        ...


def _parts(points: Points, size: int) -> Iterator[Points]:
    for start in range(0, len(points), size):
        yield points.part(start, min(start + size, len(points)))


class RankOneRoute:
    """Points folded into the batch axis, base weights shared; see rank_one.py."""

    name = "rank_one"

    def __init__(self, share: bool = True) -> None:
        self.share = share

    def chunk(self, survey: Survey, subject: Subject) -> int:
        """As many points as keep the largest activation in cache."""
        return batched_chunk(survey.peak_bytes)

    def losses(self, subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Tensor:
        """Draw factors for many chunks at once, then one pass a chunk."""
        entries = sum(sum(t.shape) for _, t in subject.signature.trained)
        return torch.cat(
            [
                self._drawn(subject, weights, part, batch, chunk)
                for part in _parts(points, drawn_points(chunk, entries))
            ]
        )

    def _drawn(self, subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Tensor:
        tracked = subject.tracked(weights, points)
        inputs, targets = batch
        found = []
        for start in range(0, len(points), chunk):
            stop = min(start + chunk, len(points))
            part = part_of(tracked, start, stop)
            outputs, _ = outputs_at(subject.module, inputs, stop - start, part, self.share)
            found.append(subject.loss(outputs, targets, stop - start))
        return torch.cat(found)


class MappedRoute:
    """torch.vmap over perturbed copies of the weights; see vmapped.py."""

    name = "vmapped"

    def chunk(self, survey: Survey, subject: Subject) -> int:
        """As many copies as fit into a fixed amount of memory."""
        sizes = [p.numel() * p.element_size() for p in trained_parameters(subject.module).values()]
        return mapped_chunk(sum(sizes), survey.peak_bytes)

    def losses(self, subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Tensor:
        """One mapped pass a chunk."""
        return torch.cat(
            [
                losses_vmapped(subject.module, subject.copies(weights, part), batch, subject.loss)
                for part in _parts(points, chunk)
            ]
        )


class OneByOneRoute:
    """The slow truth; see one_by_one.py."""

    name = "one_by_one"

    def chunk(self, survey: Survey, subject: Subject) -> int:
        """One."""
        return 1

    def losses(self, subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Tensor:
        """One forward pass a point."""
        found = []
        for part in _parts(points, 1):
            copies = subject.copies(weights, part)
            found += [l for _, l in one_by_one(subject.module, copies, batch, subject.loss.loss)]
        return torch.stack(found)
