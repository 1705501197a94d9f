"""A torch module as a probe: weights and points to losses, by the fastest route that is right."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import Weights, model_signature
from baffle.backends.torch.drawing import Drawing
from baffle.backends.torch.examples import Examples
from baffle.backends.torch.loading import Loader
from baffle.backends.torch.losses import Loss, PointLosses
from baffle.backends.torch.memory import keep_freed_memory
from baffle.backends.torch.modes import evaluating, require_eval_statistics
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

    Attributes:
        signature: the module's.
        route: "rank_one", "vmapped" or "one_by_one": how the last call was answered.
        reasons: why faster routes were not.

    Raises:
        ModelError: nothing is trainable, or a layer mixes examples even in eval mode.

    Example:
        probe = TorchProbe(model, functional.cross_entropy, examples)
        losses = probe(weights, points, np.arange(32))
    """

    def __init__(
        self, module: nn.Module, loss: Loss, examples: Examples, chunk: int = 0, threads: int = 0
    ) -> None:
        require_eval_statistics(module)
        keep_freed_memory()
        self.signature = model_signature(module)
        self.module, self.examples = module, examples
        self.chunk, self.threads = chunk, threads
        self.route: str = ""
        self.reasons: tuple[str, ...] = ()
        self._subject = Subject(module, self.signature, PointLosses(loss), Drawing(self.signature))
        self._loader = Loader(module)
        self._choices: dict[Any, Choice] = {}

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
            task = Task(weights, points, self.examples.batch(example_numbers))
            return self._losses(task).to("cpu", torch.float64).numpy()

    def _losses(self, task: Task) -> Tensor:
        key = (task.points.kind, *_shapes(task.batch))
        choice = self._choices.get(key)
        if choice is None:
            choice = self._choices[key] = choose(self._subject, task, self.chunk)
        try:
            found = choice.route.losses(self._subject, task, choice.chunk)
        except Exception as error:
            if isinstance(error, ProbeError) or choice.route.name == OneByOneRoute.name:
                raise
            choice = _demoted(choice, error)
            found = choice.route.losses(self._subject, task, choice.chunk)  # or the module's error
            self._choices[key] = choice
            logger.warning("%s is not used any more: %s", *choice.reasons[-1].split(": ", 1))
        self.route, self.reasons = choice.route.name, choice.reasons
        return found


def _demoted(choice: Choice, error: Exception) -> Choice:
    reason = f"{choice.route.name}: {type(error).__name__}: {error}"
    return Choice(OneByOneRoute(), 1, (*choice.reasons, reason))


def _shapes(batch: tuple[Any, Any]) -> tuple[Any, ...]:
    leaves, spec = pytree.tree_flatten(batch)
    return spec, *((tuple(x.shape), x.dtype) for x in leaves if isinstance(x, Tensor))
