"""The user's loss at P points: outputs [P, B, ...] and shared targets to P numbers.

Outputs in half precision are widened first: a loss in bfloat16 has 8 bits, and a difference of two
such losses hardly any.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils import _pytree as pytree

from baffle.errors import ProbeError

logger = logging.getLogger(__name__)
Loss = Callable[[Any, Any], Tensor]
HALVES = (torch.float16, torch.bfloat16)
_IGNORED = -100  # a target that cross entropy leaves out


def widened(outputs: Any) -> Any:
    """Return outputs with their tensors in float32 or better."""
    return pytree.tree_map_only(Tensor, lambda x: x.float() if x.dtype in HALVES else x, outputs)


def one_loss(loss: Loss, output: Any, target: Any) -> Tensor:
    """Return the loss of one point: a scalar in float32 or better.

    Raises:
        ProbeError: the loss is not a real floating scalar tensor of at least float32.
    """
    found = loss(widened(output), target)
    if not isinstance(found, Tensor):
        raise ProbeError(f"expected the loss to be a scalar tensor, got {type(found).__name__}")
    return _required(found, ())


def _required(found: Tensor, points: tuple[int, ...]) -> Tensor:
    if found.shape != points:
        got = tuple(found.shape[len(points) :])
        raise ProbeError(f"expected a scalar loss, got shape {got}; use the mean over examples")
    if found.dtype not in (torch.float32, torch.float64):
        raise ProbeError(f"expected the loss in float32 or float64, got {found.dtype}")
    return found


class PointLosses:
    """A loss evaluated over points by vmap, or in a loop if vmap has no way through it.

    Args:
        loss: (output, target) to the scalar mean over the batch.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.mapped = True

    def __call__(self, outputs: Any, targets: Any, points: int) -> Tensor:
        """Return the losses [P] of outputs with a leading axis of P points.

        Raises:
            ProbeError: a loss is not a scalar tensor of float32 or float64.
        """
        outputs = widened(outputs)
        if self.loss is functional.cross_entropy and _plain_classes(outputs, targets):
            return _cross_entropies(outputs, targets)
        if self.mapped:
            try:
                found = torch.vmap(lambda o: self.loss(o, targets))(outputs)
                return _required(found, (points,))
            except ProbeError:
                raise
            except Exception as error:  # whatever vmap cannot do, the loop can
                logger.info("the loss goes point by point, since vmap failed: %s", error)
                self.mapped = False
        each = (_at(outputs, point) for point in range(points))
        return torch.stack([one_loss(self.loss, output, targets) for output in each])


def _at(outputs: Any, point: int) -> Any:
    return pytree.tree_map_only(Tensor, lambda x: x[point], outputs)


def _plain_classes(outputs: Any, targets: Any) -> bool:
    """Say whether these are logits [P, B, C] and one class a row, none of them ignored."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return False
    plain = outputs.dim() == 3 and targets.dim() == 1 and targets.dtype == torch.int64
    return plain and len(targets) == outputs.shape[1] and not bool((targets == _IGNORED).any())


def _cross_entropies(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return F.cross_entropy at each point; vmap has only a slow decomposition of it."""
    repeated = targets.expand(len(outputs), -1).flatten()
    rows = functional.cross_entropy(outputs.flatten(0, 1), repeated, reduction="none")
    return rows.view(len(outputs), -1).mean(dim=1)
