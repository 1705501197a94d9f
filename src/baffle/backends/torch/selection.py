"""Which route a module takes: the first in order of speed that agrees with the slow truth."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from torch import isfinite

from baffle.backends.torch.adapter import load_weights
from baffle.backends.torch.check import check_tasks, difference, tolerance, truth
from baffle.backends.torch.routes import (
    MappedRoute,
    OneByOneRoute,
    PointByPointRoute,
    RankOneRoute,
    Route,
    Subject,
    Task,
    trained_bytes,
)
from baffle.backends.torch.survey import Survey, survey
from baffle.directions.rank_one import RankOneKind

logger = logging.getLogger(__name__)
FEWEST = 3  # points of a check: both signs and none
SMALL_MODEL = 2**19  # bytes up to which copies of the weights cost less than passes one by one
# A pass whose results take this much, and this many times the trained weights, is so long that
# writing the weights once a point hardly shows beside it.
LARGE_PASS, MANY_TIMES = 2**23, 16
FROZEN_PART = 2  # such passes are not taken if frozen results are as large as the moved ones
LEAKS = "a weight is read where it cannot be seen"
PARTS = "the module mixes the examples of a batch or depends on its size"


@dataclass(frozen=True)
class Choice:
    """The route taken, its points a pass, and why faster ones were not."""

    route: Route
    chunk: int
    reasons: tuple[str, ...] = ()


def candidates(subject: Subject, task: Task, seen: Survey, chunk: int, named: str) -> list[Route]:
    """Return the fast routes for these directions, in the order in which they are tried.

    Args:
        chunk: the user's points a pass, or 0.
        named: the user's choice, tried first; "" for what is likely to be fastest, by shapes alone:
            a short measurement can tell better (see drivers/local/engine.py).
    """
    turns: list[Route] = [PointByPointRoute()]
    if subject.compiled:
        turns.insert(0, PointByPointRoute(compiled=True))
    small = trained_bytes(subject) <= SMALL_MODEL
    order = [MappedRoute(), *turns] if small else [*turns, MappedRoute()]
    if isinstance(task.points.kind, RankOneKind):
        split = turns[0].chunk(subject, seen)
        batched: list[Route] = [RankOneRoute(split=split), RankOneRoute(share=False, split=split)]
        order = [*batched, *([RankOneRoute()] if split < seen.examples else []), *order]
    long = seen.moved_total >= max(LARGE_PASS, MANY_TIMES * trained_bytes(subject))
    # Points one by one would repeat a frozen beginning for each of them.
    long = long and seen.total_bytes <= FROZEN_PART * seen.moved_total
    first = named or (PointByPointRoute.name if subject.compiled or (long and not chunk) else "")
    return sorted(order, key=lambda route: route.name != first)


def choose(subject: Subject, task: Task, chunk: int, named: str = "") -> Choice:
    """Return the fastest route whose losses agree with the slow truth.

    Args:
        subject: a module with the weights loaded, in eval mode.
        task: the first of its batch shape.
        chunk: the user's points a pass (examples, if `named` takes points one by one), 0 for the
            route's default.
        named: the user's route, taken if it is right.

    Returns:
        A choice that depends on the module, the shapes and the directions' kind. Costs a handful of
        forward passes of one point and one whole chunk a route tried.

    Raises:
        ProbeError: the loss is not a scalar tensor. What the module itself raises is passed on.
    """
    versions = [p._version for p in subject.parameters.values()]
    seen = survey(subject.module, task.batch, subject.loss.loss)
    if versions != [p._version for p in subject.parameters.values()]:
        load_weights(subject.module, task.weights)  # the module wrote into them
    subject.random = subject.random or seen.random
    if named == OneByOneRoute.name:
        return Choice(OneByOneRoute(), 1)
    seen = _held(subject, task, seen)
    reasons: list[str] = []
    for route in candidates(subject, task, seen, chunk, named):
        for size in _sizes(route, subject, seen, chunk, named):
            against = _all_against(route, subject, task, seen, size)
            if not against:
                return Choice(route, size, tuple(reasons))
            reason = f"{route.name}: {against}"
            if reason not in reasons:
                reasons.append(reason)
                logger.warning("%s is not used: %s", *reason.split(": ", 1))
    return Choice(OneByOneRoute(), 1, tuple(reasons))


def _held(subject: Subject, task: Task, seen: Survey) -> Survey:
    """Return the survey with what a batched pass holds for a point, where something is frozen.

    An operation that was told how many rows there are sees those of all points, and then a frozen
    result takes as much memory as any other.
    """
    rank_one = isinstance(task.points.kind, RankOneKind)
    if seen.moved_peak == seen.peak_bytes or not rank_one or len(task.points) < 2:
        return seen
    try:
        held = RankOneRoute().bytes_a_point(subject, task)
    except Exception:  # the check says why; until then as much as any activation
        held = seen.peak_bytes
    return replace(seen, moved_peak=max(held, seen.moved_peak))


def _sizes(route: Route, subject: Subject, seen: Survey, chunk: int, named: str) -> list[int]:
    """Return chunks to try: the user's or the route's, and of examples then all of them."""
    if not isinstance(route, PointByPointRoute):
        return [chunk or route.chunk(subject, seen)]
    own = (chunk if route.name == named else 0) or route.chunk(subject, seen)
    return [own, seen.examples] if own < seen.examples else [own]


def _all_against(route: Route, subject: Subject, task: Task, seen: Survey, chunk: int) -> str:
    """Return what speaks against a route for these points in chunks of this size."""
    if isinstance(route, PointByPointRoute):
        return _against(route, subject, task, seen, FEWEST, chunk)
    chunk = min(chunk, len(task.points))
    if isinstance(route, RankOneRoute) and chunk == 1:
        return _against_one(route, subject, replace(task, points=task.points.part(0, 1)), seen)
    # A smaller last chunk is checked too: what a module makes is known to carry rows by its length,
    # which could mean something else at another size.
    last = len(task.points) % chunk
    sizes = [max(chunk, FEWEST), *([last] if last > 1 else [])]
    return next(filter(None, (_against(route, subject, task, seen, n, n) for n in sizes)), "")


def _against_one(route: RankOneRoute, subject: Subject, task: Task, seen: Survey) -> str:
    """Return what speaks against passes of one point; no second copy of the weights is made."""
    if route.leaks(subject, task):
        return LEAKS
    dtypes = {p.dtype for p in subject.parameters.values()}
    within = max(tolerance(dtype, seen.operations, 1.0) for dtype in dtypes)
    if 0 < route.split < seen.examples and route.parts_differ(subject, task, within):
        return PARTS
    return ""


def _against(
    route: Route, subject: Subject, task: Task, seen: Survey, count: int, chunk: int
) -> str:
    """Return what speaks against a route at `count` points; empty if nothing does."""
    dtypes = {p.dtype for p in subject.parameters.values()}
    for check in check_tasks(subject, task, count):
        known = truth(subject, check)
        if not bool(isfinite(known.losses).all()):
            continue
        within = max(tolerance(dtype, seen.operations, known.scale) for dtype in dtypes)
        try:
            return difference(route, subject, check, known, within, chunk)
        except Exception as error:  # a route that fails is not used; the truth has passed
            return f"{type(error).__name__}: {error}"
    return "losses are not finite, so nothing shows that it is right"
