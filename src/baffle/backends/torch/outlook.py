"""How a module would be probed: by which route, and which of its operations go the slow way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.torch.adapter import initial_weights
from baffle.backends.torch.examples import batch_size
from baffle.backends.torch.probe import TorchProbe
from baffle.directions import Place, Points, make_kind

KEY, RADIUS_EXPONENT = 0, -9


@dataclass(frozen=True)
class Outlook:
    """What a probe would do.

    Args:
        route: as `TorchProbe.route`.
        slow: operations that go point after point within a batched pass.
        reasons: why routes tried before were not taken.
    """

    route: str
    slow: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Given:
    inputs: Any

    def __len__(self) -> int:
        return batch_size(self.inputs)

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Tensor]:
        return self.inputs, torch.zeros(len(numbers))


def outlook(module: nn.Module, inputs: Any, directions: int = 8) -> Outlook:
    """Return how points around a module would be evaluated.

    Args:
        module: any module; its weights are left as they are.
        inputs: of some examples: a tensor, or a tuple or dict of tensors, batch on axis 0.
        directions: points of the trial.

    Raises:
        ModelError: nothing is trainable. What the module raises on these inputs is passed on.

    Example:
        >>> outlook(nn.Linear(3, 2), torch.zeros(4, 3)).route
        'rank_one'
    """
    probe = TorchProbe(module, _mean_square, _Given(inputs))
    points = Points(
        Place(KEY, 0),
        make_kind("rank_one", KEY),
        (RADIUS_EXPONENT,) * len(probe.signature.trained),
        np.arange(directions, dtype=np.uint32),
        np.ones(directions, dtype=np.int8),
    )
    probe(initial_weights(module), points, np.arange(batch_size(inputs)))
    return Outlook(probe.route, tuple(sorted(probe.slow)), probe.reasons)


def _mean_square(output: Any, target: Tensor) -> Tensor:
    tensors = [x for x in pytree.tree_leaves(output) if isinstance(x, Tensor)]
    return torch.stack([x.float().square().mean() for x in tensors]).sum()
