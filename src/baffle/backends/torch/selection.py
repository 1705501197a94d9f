"""Which route a module takes: the first in order of speed that agrees with the slow truth."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from torch import isfinite

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.check import check_tasks, difference, tolerance, truth
from baffle.backends.torch.routes import (
    MappedRoute,
    OneByOneRoute,
    RankOneRoute,
    Route,
    Subject,
    Task,
)
from baffle.backends.torch.survey import Survey, survey
from baffle.directions.factors import RankOne

logger = logging.getLogger(__name__)
FEWEST = 3  # points of a check: both signs and none


@dataclass(frozen=True)
class Choice:
    """The route taken, its points a pass, and why faster ones were not."""

    route: Route
    chunk: int
    reasons: tuple[str, ...] = ()


def candidates(subject: Subject, task: Task) -> Iterator[Route]:
    """Yield the fast routes for these directions, the fastest first."""
    drawn = task.points.part(0, 1).factors(subject.signature, task.weights)
    matrices = {tensor.name for _, tensor in subject.signature.trained if len(tensor.shape) > 1}
    if all(isinstance(drawn[name], RankOne) for name in matrices):
        yield RankOneRoute()
        yield RankOneRoute(share=False)
    yield MappedRoute()


def choose(subject: Subject, task: Task, chunk: int) -> Choice:
    """Return the fastest route whose losses agree with the slow truth.

    Args:
        subject: a module with the weights loaded, in eval mode.
        task: the first of its batch shape.
        chunk: the user's points a pass, 0 for the route's default.

    Returns:
        A choice that depends on the module, the shapes and the directions' kind. Costs a handful of
        forward passes of one point and one whole chunk a route tried.

    Raises:
        ProbeError: the loss is not a scalar tensor. What the module itself raises is passed on.
    """
    seen = survey(subject.module, task.batch, subject.loss.loss)
    reasons: list[str] = []
    for route in candidates(subject, task):
        size = chunk or route.chunk(subject, seen)
        against = _against(route, subject, task, seen, max(min(size, len(task.points)), FEWEST))
        if not against:
            return Choice(route, size, tuple(reasons))
        reason = f"{route.name}: {against}"
        if reason not in reasons:
            reasons.append(reason)
            logger.warning("%s is not used: %s", *reason.split(": ", 1))
    return Choice(OneByOneRoute(), 1, tuple(reasons))


def _against(route: Route, subject: Subject, task: Task, seen: Survey, count: int) -> str:
    """Return what speaks against a route; empty if nothing does."""
    dtypes = {p.dtype for p in trained_parameters(subject.module).values()}
    for check in check_tasks(subject, task, count):
        known = truth(subject, check)
        if not bool(isfinite(known.losses).all()):
            continue
        within = max(tolerance(dtype, seen.operations, known.scale) for dtype in dtypes)
        try:
            return difference(route, subject, check, known, within)
        except Exception as error:  # a route that fails is not used; the truth has passed
            return f"{type(error).__name__}: {error}"
    return "losses are not finite, so nothing shows that it is right"
