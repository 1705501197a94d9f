"""A torch module as a probe: weights and points to losses, by the fastest route that is right."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baffle.backends.torch.adapter import Weights, model_signature
from baffle.backends.torch.clients import Groups, ManyClients, clients_in_pass, shapes, surveyed
from baffle.backends.torch.drawing import Drawing
from baffle.backends.torch.examples import Examples
from baffle.backends.torch.loading import Loader
from baffle.backends.torch.losses import Loss, PointLosses
from baffle.backends.torch.memory import keep_freed_memory, return_freed_memory
from baffle.backends.torch.modes import evaluating, require_eval_statistics
from baffle.backends.torch.precision import examples_in, in_precision, precision_of
from baffle.backends.torch.routes import OneByOneRoute, Subject, Task
from baffle.backends.torch.selection import Choice, choose
from baffle.backends.torch.threads import using_threads
from baffle.directions import Points
from baffle.errors import ProbeError

logger = logging.getLogger(__name__)


class TorchProbe:
    """Evaluate a module's loss at points around given weights, by forward passes only.

    A probe is for one thread at a time, and so is its module.

    Args:
        module: any module. It is in eval mode during calls and written to only to load weights.
        loss: (output, target) to the scalar mean over the batch, in float32 or better.
        examples: numbered examples; see `Examples`.
        chunk: points a pass; 0 for a size that keeps activations in cache (see chunking.py).
        threads: torch's threads during a call; 0 for as many as there are.
        route: "rank_one", "point_by_point", "vmapped" or "one_by_one" to have that one if it is
            right for the module; "" for what shapes alone suggest.
        precision: "bfloat16" to evaluate a copy of the module in it, "" for the module as it is.
        low_memory: one point a pass unless `chunk` says otherwise, and freed memory goes back to
            the system at once, in the whole process: the peak is that of plain inference, and a
            pass takes longer.
        compiled: let torch.compile make the passes of points one by one; needs a C++ compiler.

    Attributes:
        signature: the module's.
        route: how the last call was answered.
        reasons: why routes tried before it were not taken.
        slow: operations that went point after point within a batched pass, since no rule has them.

    Raises:
        ModelError: nothing is trainable, or a layer mixes examples even in eval mode.

    Example:
        probe = TorchProbe(model, functional.cross_entropy, examples)
        losses = probe(weights, points, np.arange(32))
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        examples: Examples,
        chunk: int = 0,
        threads: int = 0,
        route: str = "",
        precision: str = "",
        compiled: bool = False,
        low_memory: bool = False,
    ) -> None:
        require_eval_statistics(module)
        if low_memory:
            chunk = chunk or 1
            return_freed_memory()
        else:
            keep_freed_memory()
        self.signature = model_signature(module)
        self.dtype = precision_of(precision)
        self.module = in_precision(module, self.dtype)
        self.examples = examples_in(examples, self.dtype)
        self.chunk, self.threads, self.named = chunk, threads, route
        self.route: str = ""
        self.reasons: tuple[str, ...] = ()
        self.slow: set[str] = set()
        self._subject = Subject(
            self.module, self.signature, PointLosses(loss), Drawing(self.signature), compiled
        )
        self._loader = Loader(self.module)
        self._choices: dict[Any, Choice] = {}
        self._peak = 0  # bytes of one example's largest activation, once it was asked for
        self._many = ManyClients(self._subject, self.examples, chunk, self._choice)

    def __call__(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the mean loss over the examples at each point; float64 [P].

        The first call of a batch shape chooses the route and checks it, see selection.py. The same
        chunk and threads give the same bits again.

        Raises:
            ProbeError: no examples, or the loss is not a scalar tensor of float32 or float64.
            ModelError: the weights do not fit. What the module raises is passed on. In any case the
                module's parameters hold the weights, bit for bit.
        """
        if not len(points):
            return np.empty(0)
        if not len(example_numbers):
            raise ProbeError("expected at least one example to evaluate the loss on, got none")
        with evaluating(self.module), using_threads(self.threads), torch.no_grad():
            self._loader.load(weights)
            batch = self.examples.batch(example_numbers)
            task = Task(weights, points, batch, example_numbers)
            return self._losses(task).to("cpu", torch.float64).numpy()

    @property
    def drawing(self) -> Drawing:
        """What draws the directions."""
        return self._subject.drawing

    def many(self, weights: Weights, points: Points, groups: Groups) -> NDArray[np.float64]:
        """Return the mean loss of each of C clients over its own examples; float64 [C, P].

        Clients go through shared passes if that is right for the module, else one after another;
        see clients.py. The same clients, chunk and threads give the same bits again; other company
        may change a client's losses in their last bits.

        Args:
            weights, points: as for one client.
            groups: each client's examples, as many for each.

        Raises:
            ProbeError: no examples, another number for some client, or the loss is not a scalar.
            ModelError: the weights do not fit. What the module raises is passed on.
        """
        if len({len(g) for g in groups}) > 1:
            sizes = sorted({len(g) for g in groups})
            raise ProbeError(f"expected as many examples from each client, got {sizes}")
        found = self._together(weights, points, groups) if len(groups) > 1 else None
        if found is None:
            each = [self(weights, points, group) for group in groups]
            return np.array(each).reshape(len(groups), len(points))
        return found

    def each(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the loss of each example at each point; float64 [B, P].

        Examples share passes as clients do, as many as the largest activation allows.

        Raises:
            ProbeError, ModelError: as a call.
        """
        most = self._most_examples(points, example_numbers)
        parts = range(0, len(example_numbers), most)
        found = [
            self.many(weights, points, list(example_numbers[start : start + most, None]))
            for start in parts
        ]
        return np.concatenate(found) if found else np.empty((0, len(points)))

    def _most_examples(self, points: Points, example_numbers: NDArray[np.int64]) -> int:
        """Return how many examples of these share a pass."""
        if not len(example_numbers):
            return 1
        if not self._peak:
            batch = self.examples.batch(example_numbers[:1])
            seen = surveyed(self.module, self._subject.loss.loss, batch)
            self._peak = max(1, seen.moved_peak)
        chunk = min(self.chunk or len(points), len(points))
        return clients_in_pass(self._peak, max(1, chunk))

    def _together(
        self, weights: Weights, points: Points, groups: Groups
    ) -> NDArray[np.float64] | None:
        if not len(points) or not len(groups[0]):
            return None
        with evaluating(self.module), using_threads(self.threads), torch.no_grad():
            self._loader.load(weights)
            found = self._many.losses(Task(weights, points, (None, None), groups[0]), groups)
            return None if found is None else found.t().to("cpu", torch.float64).numpy()

    @property
    def apart(self) -> tuple[str, ...]:
        """Why clients were evaluated one after another though asked together, the newest last."""
        return tuple(self._many.reasons)

    def _choice(self, task: Task) -> Choice:
        key = _key(task)
        if key not in self._choices:
            self._choices[key] = choose(self._subject, task, self.chunk, self.named)
        return self._choices[key]

    def _losses(self, task: Task) -> Tensor:
        choice = self._choice(task)
        try:
            found = choice.route.losses(self._subject, task, choice.chunk)
        except Exception as error:
            if isinstance(error, ProbeError) or choice.route.name == OneByOneRoute.name:
                raise
            choice = _demoted(choice, error)
            found = choice.route.losses(self._subject, task, choice.chunk)  # or the module's error
            self._choices[_key(task)] = choice
            logger.warning("%s is not used any more: %s", *choice.reasons[-1].split(": ", 1))
        self.route, self.reasons = choice.route.name, choice.reasons
        self._name_slow()
        return found

    def _name_slow(self) -> None:
        """Say once of each operation that it goes the slow way."""
        for name in sorted(self._subject.slow - self.slow):
            logger.warning("%s has no rule for all points at once: it goes point after point", name)
        self.slow |= self._subject.slow


def _key(task: Task) -> tuple[Any, ...]:
    """Return what a choice of route is right for: a last, smaller chunk counts too."""
    return task.points.kind, len(task.points), *shapes(task.batch)


def _demoted(choice: Choice, error: Exception) -> Choice:
    reason = f"{choice.route.name}: {type(error).__name__}: {error}"
    return Choice(OneByOneRoute(), 1, (*choice.reasons, reason))
