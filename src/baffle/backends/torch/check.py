"""Is a fast route right for this module? A few points against the slow truth, once.

The check moves weights far, by about a quarter of each tensor's own size, so that a module that
mixes points, or examples of different points, is wrong by much more than rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import Weights, trained_parameters
from baffle.backends.torch.losses import HALVES
from baffle.backends.torch.one_by_one import one_by_one
from baffle.backends.torch.routes import Batch, Route, Subject
from baffle.directions import Points

FAR = -2  # log2 of the moves' size in units of a tensor's root mean square
LOST = -4  # log2 of the moves' size for a tensor of zeros
ROUNDINGS = 64


def check_points(points: Points, count: int, subject: Subject) -> Iterator[Points]:
    """Yield points to check at: far moves, then, should these give no numbers, the caller's radii."""
    signs = np.where(np.arange(count) % 2, -1, 1).astype(np.int8)
    signs[-1] = 0
    near = replace(points, directions=np.arange(count, dtype=np.uint32), signs=signs)
    far = [_far(trained_parameters(subject.module)[t.name]) for _, t in subject.signature.trained]
    exponents = tuple(max(e, f) for e, f in zip(points.radius_exponents, far, strict=True))
    yield replace(near, radius_exponents=exponents)
    yield near


def _far(parameter: Tensor) -> int:
    size = parameter.detach().double().square().mean().sqrt().item()
    return math.frexp(size)[1] + FAR if 0 < size < math.inf else LOST


def tolerance(dtype: torch.dtype, operations: int, scale: float) -> float:
    """Return how far two correct evaluations of a loss may lie apart.

    Each operation rounds its sums in float32 or better (64 eps allows for sums of some thousand
    terms) and its result in the module's own type (4 eps). Errors add up over the operations,
    relative to scale = 1 + |loss| + largest output.
    """
    summed = torch.finfo(torch.float32 if dtype in HALVES else dtype).eps
    return operations * (ROUNDINGS * summed + 4 * torch.finfo(dtype).eps) * scale


def truth(subject: Subject, weights: Weights, points: Points, batch: Batch) -> tuple[Tensor, float]:
    """Return the slow losses [P] and the scale that rounding errors are relative to."""
    found, scale = [], 0.0
    copies = subject.copies(weights, points)
    for output, loss in one_by_one(subject.module, copies, batch, subject.loss.loss):
        found.append(loss)
        scale = max(scale, 1 + abs(float(loss)) + _largest(output))
    return torch.stack(found), scale


def _largest(output: Any) -> float:
    leaves = [x for x in pytree.tree_leaves(output) if isinstance(x, Tensor) and x.numel()]
    return max((float(x.abs().max()) for x in leaves if x.is_floating_point()), default=0.0)


def sampled(points: Points) -> tuple[Points, list[int]]:
    """Return the first, the middle and the last point, and where they stand."""
    where = sorted({0, len(points) // 2, len(points) - 1})
    return replace(points, directions=points.directions[where], signs=points.signs[where]), where


def differs(
    route: Route, subject: Subject, weights: Weights, points: Points, batch: Batch, within: tuple[Tensor, list[int], float]
) -> str | None:
    """Return how a route's losses differ from the truth by more than rounding, None if they do not."""
    slow, where, bound = within
    fast = route.losses(subject, weights, points, batch, len(points))[where].double()
    off = (fast - slow.double()).abs()
    if bool((off <= bound).all()):
        return None
    return f"losses {fast.tolist()} differ from {slow.tolist()} by more than rounding ({bound:.1e})"
