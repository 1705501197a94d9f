"""Is a fast route right for this module? A few points against the slow truth, once a shape.

The check moves weights far, by a quarter to a half of each tensor's own size, so that a module that
mixes points, or examples of different points, is wrong by much more than rounding. The route is
asked for a whole chunk, as later, and compared at its first, middle and last point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.backends.torch.losses import HALVES
from baffle.backends.torch.routes import Route, Subject, Task, outputs_and_losses

FAR = -2  # log2 of the moves in units of the power of two above a tensor's root mean square
LOST = -4  # log2 of the moves of a tensor of zeros
SUMMED, ROUNDED = 64, 4


@dataclass(frozen=True)
class Truth:
    """The slow losses at a few points, where these stand, and the scale of rounding errors."""

    losses: Tensor
    where: tuple[int, ...]
    scale: float


def check_tasks(subject: Subject, task: Task, count: int) -> Iterator[Task]:
    """Yield tasks of `count` points: far moves, then, if these give no numbers, the caller's."""
    signs = np.where(np.arange(count) % 2, -1, 1).astype(np.int8)
    signs[-1] = 0
    near = replace(task.points, directions=np.arange(count, dtype=np.uint32), signs=signs)
    parameters = subject.parameters
    far = [_far(parameters[t.name]) for _, t in subject.signature.trained]
    exponents = tuple(max(e, f) for e, f in zip(near.radius_exponents, far, strict=True))
    for points in (replace(near, radius_exponents=exponents), near):
        yield replace(task, points=points)


def _far(parameter: Tensor) -> int:
    size = parameter.detach().double().square().mean().sqrt().item()
    return math.frexp(size)[1] + FAR if 0 < size < math.inf else LOST


def truth(subject: Subject, task: Task) -> Truth:
    """Evaluate the first, the middle and the last point by the slow truth."""
    points = task.points
    where = sorted({0, len(points) // 2, len(points) - 1})
    some = replace(points, directions=points.directions[where], signs=points.signs[where])
    losses, scale = [], 0.0
    for output, loss in outputs_and_losses(subject, replace(task, points=some)):
        losses.append(loss)
        scale = max(scale, 1 + abs(float(loss)) + _largest(output))
    return Truth(torch.stack(losses), tuple(where), scale)


def _largest(output: Any) -> float:
    tensors = [x for x in pytree.tree_leaves(output) if isinstance(x, Tensor) and x.numel()]
    return max((float(x.abs().max()) for x in tensors if x.is_floating_point()), default=0.0)


def tolerance(dtype: torch.dtype, operations: int, scale: float) -> float:
    """Return how far two correct evaluations of a loss may lie apart.

    Each operation rounds its sums in float32 or better (64 eps allows for sums of some thousand
    terms) and its result in the module's own type (4 eps). Errors add up over the operations,
    relative to scale = 1 + |loss| + largest output.

    Args:
        dtype: of the weights.
        operations: of one forward pass and the loss.
        scale: as above, in units of the loss.
    """
    summed = torch.finfo(torch.float32 if dtype in HALVES else dtype).eps
    return operations * (SUMMED * summed + ROUNDED * torch.finfo(dtype).eps) * scale


def difference(
    route: Route, subject: Subject, task: Task, known: Truth, within: float, chunk: int
) -> str:
    """Return how a route's losses differ from the truth; empty if by rounding alone."""
    found = route.losses(subject, task, chunk)[list(known.where)]
    off = (found.double() - known.losses.double()).abs()
    if bool((off <= within).all()):
        return ""
    return (
        f"losses {found.tolist()} differ from {known.losses.tolist()} by more than rounding, "
        f"{within:.1e}: the module mixes the examples of a batch or depends on its size"
    )
