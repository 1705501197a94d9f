"""Which route a module takes: the first in order of speed that agrees with the slow truth."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import isfinite

from baffle.backends.torch.adapter import Weights, trained_parameters
from baffle.backends.torch.check import check_points, differs, sampled, tolerance, truth
from baffle.backends.torch.routes import (
    Batch,
    MappedRoute,
    OneByOneRoute,
    RankOneRoute,
    Route,
    Subject,
)
from baffle.backends.torch.survey import Survey, survey
from baffle.directions import Points
from baffle.directions.factors import RankOne

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """The route taken, its default chunk, why faster ones were not, and whether that is final."""

    route: Route
    chunk: int
    reasons: tuple[str, ...]
    final: bool = True


def candidates(subject: Subject, weights: Weights, points: Points) -> list[Route]:
    """Return the fast routes for these directions, the fastest first."""
    drawn = points.part(0, 1).factors(subject.signature, weights)
    if any(isinstance(f, RankOne) for f in drawn.values()):
        return [RankOneRoute(), RankOneRoute(share=False), MappedRoute()]
    return [MappedRoute()]


def choose(subject: Subject, weights: Weights, points: Points, batch: Batch, chunk: int) -> Choice:
    """Return the fastest route whose losses agree with the slow truth.

    Args:
        subject: a module with the weights loaded, in eval mode.
        weights: the same weights.
        points: whose directions' kind and radii are to be used.
        batch: the first batch of its shape.
        chunk: the user's points a pass, 0 for the default.

    Raises:
        ProbeError: the loss is not a scalar tensor. What the module itself raises is passed on.
    """
    seen = survey(subject.module, batch, subject.loss.loss)
    reasons: list[str] = []
    for route in candidates(subject, weights, points):
        size = chunk or route.chunk(seen, subject)
        verdict = _verdict(route, subject, weights, points, batch, seen, max(size, 3))
        if verdict is None:
            return Choice(route, size, tuple(reasons))
        reasons.append(f"{route.name}: {verdict}")
        logger.warning("%s is not used, a slower way is: %s", route.name, verdict)
    return Choice(OneByOneRoute(), 1, tuple(reasons))


def _verdict(
    route: Route, subject: Subject, weights: Weights, points: Points, batch: Batch, seen: Survey, count: int
) -> str | None:
    """Return why a route cannot be used, None if it can."""
    dtypes = {p.dtype for p in trained_parameters(subject.module).values()}
    for far in check_points(points, count, subject):
        some, where = sampled(far)
        slow, scale = truth(subject, weights, some, batch)
        if not bool(isfinite(slow).all()):
            continue
        bound = max(tolerance(dtype, seen.operations, scale) for dtype in dtypes)
        try:
            return differs(route, subject, weights, far, batch, (slow, where, bound))
        except Exception as error:  # a route that fails is not used; the truth has passed
            return f"{type(error).__name__}: {error}"
    return "losses are not finite, so nothing shows that it is right"
