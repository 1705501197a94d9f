"""The user's loss at P points: outputs [P, B, ...] and shared targets to P numbers.

Outputs in half precision are widened first: a loss in bfloat16 has 8 bits, and a difference of two
such losses none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from baffle.errors import ProbeError

logger = logging.getLogger(__name__)
Loss = Callable[[Any, Any], Tensor]
HALVES = (torch.float16, torch.bfloat16)


def _widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in HALVES else x


def one_loss(loss: Loss, output: Any, target: Any) -> Tensor:
    """Return the loss of one point: a scalar in float32 or better.

    Raises:
        ProbeError: the loss is not a real floating scalar tensor of at least float32.
    """
    found = loss(pytree.tree_map_only(Tensor, _widen, output), target)
    if not isinstance(found, Tensor):
        raise ProbeError(f"expected the loss to be a scalar tensor, got {type(found).__name__}")
    _require(found, ())
    return found


def _require(found: Tensor, points: tuple[int, ...]) -> None:
    if found.shape != points:
        got = tuple(found.shape[len(points) :])
        raise ProbeError(f"expected a scalar loss, got shape {got}; use the mean over examples")
    if found.dtype not in (torch.float32, torch.float64):
        raise ProbeError(f"expected the loss in float32 or float64, got {found.dtype}")


class PointLosses:
    """A loss evaluated over points by vmap, or in a loop if vmap has no way through it.

    Args:
        loss: (output, target) to the scalar mean over the batch.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.batched = True

    def __call__(self, outputs: Any, targets: Any, points: int) -> Tensor:
        """Return the losses [P] of outputs with a leading axis of P points.

        Raises:
            ProbeError: a loss is not a scalar tensor of float32 or float64.
        """
        if self.batched:
            try:
                return self._mapped(outputs, targets, points)
            except ProbeError:
                raise
            except Exception as error:  # whatever vmap cannot do, the loop can
                logger.info("the loss goes point by point, since vmap failed: %s", error)
                self.batched = False
        one = [pytree.tree_map_only(Tensor, lambda t, p=p: t[p], outputs) for p in range(points)]
        return torch.stack([one_loss(self.loss, o, targets) for o in one])

    def _mapped(self, outputs: Any, targets: Any, points: int) -> Tensor:
        wide = pytree.tree_map_only(Tensor, _widen, outputs)
        found = torch.vmap(lambda o: self.loss(o, targets))(wide)
        _require(found, (points,))
        return found
