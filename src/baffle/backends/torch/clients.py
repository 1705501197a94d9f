"""Many clients in one pass: their batches behind one another, each with a loss of its own.

A module that mixes the examples of a batch may be right for one client on some route and wrong for
many. So the pass over many is checked by itself: far moves, the first, middle and last client, each
against the slow truth on that client's examples alone. Where it is not right, or cannot be shown to
be, the clients go one after another.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, isfinite, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import trained_parameters
from baffle.backends.torch.check import check_tasks, tolerance, truth
from baffle.backends.torch.examples import Examples, batch_size
from baffle.backends.torch.losses import ClientLosses, Loss
from baffle.backends.torch.modes import evaluating
from baffle.backends.torch.routes import MappedRoute, RankOneRoute, Route, Subject, Task
from baffle.backends.torch.selection import FEWEST, Choice
from baffle.backends.torch.survey import Survey, survey

logger = logging.getLogger(__name__)
CLIENT_BYTES = 2**23  # of the largest activation in a pass over many clients
# Routes in which a module cannot read values into Python. In others a branch on the whole batch may
# be right in the check, by chance, and wrong for a client later.
BLIND = (RankOneRoute.name, MappedRoute.name)
Batch = tuple[Any, Any]
Groups = Sequence[NDArray[np.int64]]


def clients_in_pass(peak_bytes: int, chunk: int) -> int:
    """Return how many clients a pass of `chunk` points takes: a function of batch and model alone.

    Args:
        peak_bytes: largest activation of one client's batch at one point, see `survey`.
        chunk: points.

    Example:
        >>> clients_in_pass(peak_bytes=2048, chunk=64)
        64
    """
    return max(1, CLIENT_BYTES // (peak_bytes * chunk))


def surveyed(module: nn.Module, loss: Loss, batch: Batch) -> Survey:
    """Return what a module does with a batch at one point: one forward pass."""
    with evaluating(module), torch.no_grad():
        return survey(module, batch, loss)


def shapes(batch: Batch) -> tuple[Any, ...]:
    """Return what two batches share if they can be evaluated in the same way."""
    leaves, spec = pytree.tree_flatten(batch)
    return spec, *((tuple(x.shape), x.dtype) for x in leaves if isinstance(x, Tensor))


@dataclass(frozen=True)
class Way:
    """How clients of some number and shapes go together: route, points a pass, loss a client."""

    route: Route
    chunk: int
    loss: ClientLosses

    def losses(self, subject: Subject, task: Task) -> Tensor:
        """Return the losses [P, C]."""
        return self.route.losses(replace(subject, loss=self.loss), task, self.chunk)


class ManyClients:
    """Evaluate the examples of many clients in shared passes where that is right.

    Args:
        subject: the probe's.
        examples: numbered examples of all clients.
        chunk: the user's points a pass; 0 for the route's own, divided among the clients.
        choose: how one client alone is answered.

    Attributes:
        reasons: why clients were not taken together, the newest last.
    """

    def __init__(
        self, subject: Subject, examples: Examples, chunk: int, choose: Callable[[Task], Choice]
    ) -> None:
        self.subject, self.examples, self.chunk, self.choose = subject, examples, chunk, choose
        self.reasons: list[str] = []
        self._ways: dict[Any, Way | None] = {}

    def losses(self, task: Task, groups: Groups) -> Tensor | None:
        """Return the losses [P, C], or None if the clients have to go one after another.

        Args:
            task: weights, as loaded, and points; the batch is not looked at.
            groups: each client's examples, as many for each.
        """
        try:
            task = replace(task, batch=self._joined(groups))
        except Exception as error:  # their examples do not stand behind one another
            self._note(f"{type(error).__name__}: {error}")
            return None
        key = task.points.kind, len(groups), *shapes(task.batch)
        try:
            way = self._ways[key] if key in self._ways else self._settled(key, task, groups)
            return way.losses(self.subject, task) if way else None
        except Exception as error:  # each client alone shows whether the module failed
            self._ways[key] = None
            self._note(f"{type(error).__name__}: {error}")
            return None

    def _joined(self, groups: Groups) -> Batch:
        batch = self.examples.batch(np.concatenate(groups))
        rows = sum(map(len, groups))
        if (found := batch_size(batch[0])) != rows:
            raise ValueError(f"expected the inputs of {rows} examples, got {found}")
        return batch

    def _settled(self, key: Any, task: Task, groups: Groups) -> Way | None:
        """Choose how clients of these shapes go, unless these examples cannot show it."""
        own = [self.examples.batch(groups[c]) for c in _places(len(groups))]
        if not _distinct(own):
            return None
        alone = self.choose(replace(task, batch=own[0]))
        chunk = self.chunk or max(1, alone.chunk // len(groups))
        way = Way(alone.route, chunk, ClientLosses(self.subject.loss.loss, len(groups)))
        against = _against(way, self.subject, task, own)
        self._ways[key] = None if against else way
        if against:
            self._note(against)
        return self._ways[key]

    def _note(self, reason: str) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
            logger.warning("clients are evaluated one after another: %s", reason)


def _places(clients: int) -> list[int]:
    return sorted({0, clients // 2, clients - 1})


def _distinct(batches: Sequence[Batch]) -> bool:
    """Say whether any two clients' inputs differ: alike, they would hide that they are mixed."""
    flat = [[x for x in pytree.tree_leaves(b[0]) if isinstance(x, Tensor)] for b in batches]
    return not any(
        all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        for one, other in itertools.combinations(flat, 2)
    )


def _against(way: Way, subject: Subject, task: Task, own: Sequence[Batch]) -> str:
    """Return what speaks against the shared pass; empty if nothing does."""
    if way.route.name not in BLIND:
        return f"{way.route.name} is the module's route, in which it may decide by a batch's values"
    count = max(min(way.chunk, len(task.points)), FEWEST)
    for check in check_tasks(subject, task, count):
        known = [truth(subject, replace(check, batch=batch)) for batch in own]
        if not all(bool(isfinite(k.losses).all()) for k in known):
            continue
        found = replace(way, chunk=count).losses(subject, check)
        places = _places(way.loss.clients)
        for place, true, batch in zip(places, known, own, strict=True):
            off = (found[list(true.where), place].double() - true.losses.double()).abs()
            if not bool((off <= _within(subject, batch, true.scale)).all()):
                return "the module mixes the examples of a batch or depends on its size"
        return ""
    return "losses are not finite, so nothing shows that it is right"


def _within(subject: Subject, batch: Batch, scale: float) -> float:
    operations = survey(subject.module, batch, subject.loss.loss).operations
    dtypes = {p.dtype for p in trained_parameters(subject.module).values()}
    return max(tolerance(dtype, operations, scale) for dtype in dtypes)
