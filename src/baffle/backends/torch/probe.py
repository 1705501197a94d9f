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
from baffle.backends.torch.examples import Examples
from baffle.backends.torch.loading import Loader
from baffle.backends.torch.losses import Loss, PointLosses
from baffle.backends.torch.modes import evaluating, require_eval_statistics
from baffle.backends.torch.routes import Batch, OneByOneRoute, Subject
from baffle.backends.torch.selection import Choice, choose
from baffle.backends.torch.threads import using_threads
from baffle.directions import Points

logger = logging.getLogger(__name__)


class TorchProbe:
    """Evaluate a module's loss at points around given weights, by forward passes only.

    Args:
        module: any module; it is put in eval mode for each call and is never written to but to load
            the weights.
        loss: (output, target) to the scalar mean over the batch, in float32 or better.
        examples: numbered examples; see `Examples`.
        chunk: points a pass; 0 for a size that keeps activations in cache (see chunking.py).
        threads: torch's threads during a call; 0 for as many as there are.

    Attributes:
        signature: the module's.
        route: "rank_one", "vmapped" or "one_by_one": how the last call was answered.
        reasons: why faster routes were not taken.

    Raises:
        ModelError: nothing is trainable, or a layer mixes examples even in eval mode.

    Example:
        probe = TorchProbe(model, F.cross_entropy, examples)
        losses = probe(weights, points, np.arange(32))
    """

    def __init__(
        self, module: nn.Module, loss: Loss, examples: Examples, chunk: int = 0, threads: int = 0
    ) -> None:
        require_eval_statistics(module)
        self.module, self.examples = module, examples
        self.chunk, self.threads = chunk, threads
        self.signature = model_signature(module)
        self.route, self.reasons = "", ()
        self._subject = Subject(module, self.signature, PointLosses(loss))
        self._loader = Loader(module)
        self._choices: dict[Any, Choice] = {}

    def __call__(
        self, weights: Weights, points: Points, example_numbers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the mean loss over the examples at each point; float64 [P].

        Raises:
            ProbeError: the loss is not a scalar tensor of float32 or float64.
            ModelError: the weights do not fit. What the module raises is passed on; the module's
                parameters hold the weights' bits in any case.
        """
        if not len(points):
            return np.empty(0)
        with evaluating(self.module), using_threads(self.threads), torch.inference_mode():
            self._loader.load(weights)
            batch = self.examples.batch(example_numbers)
            choice = self._choice(weights, points, batch)
            return self._losses(choice, weights, points, batch).to("cpu", torch.float64).numpy()

    def _choice(self, weights: Weights, points: Points, batch: Batch) -> Choice:
        key = (points.kind, *_shapes(batch))
        if key in self._choices:
            return self._choices[key]
        choice = choose(self._subject, weights, points, batch, self.chunk)
        self._choices[key] = choice
        return choice

    def _losses(self, choice: Choice, weights: Weights, points: Points, batch: Batch) -> Tensor:
        self.route, self.reasons = choice.route.name, choice.reasons
        return choice.route.losses(self._subject, weights, points, batch, choice.chunk)


def _shapes(batch: Batch) -> tuple[Any, ...]:
    leaves, spec = pytree.tree_flatten(batch)
    return str(spec), *((tuple(x.shape), x.dtype) for x in leaves if isinstance(x, Tensor))
