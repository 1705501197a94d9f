"""Loss and accuracy of weights on a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baffle.backends.torch.adapter import Weights, load_weights
from baffle.backends.torch.examples import Examples, arguments, cloned
from baffle.backends.torch.losses import Loss, one_loss
from baffle.backends.torch.modes import evaluating
from baffle.errors import DataError


def evaluate(
    module: nn.Module, weights: Weights, examples: Examples, loss: Loss, batch_size: int = 256
) -> tuple[float, float | None]:
    """Return (mean loss, accuracy) of the weights over all examples.

    Args:
        module: gets the weights, is in eval mode meanwhile and keeps the weights after.
        weights: float32 by name.
        examples: numbered examples.
        loss: (output, target) to the scalar mean of a batch.
        batch_size: examples a forward pass.

    Returns:
        The mean over examples, and the share of examples whose largest output along axis 1 is the
        target's class; None unless targets are integer classes. One forward pass an example.

    Raises:
        DataError: there are no examples.
        ProbeError: the loss is not a scalar tensor.

    Example:
        evaluate(model, state.served, test_examples, F.cross_entropy)
    """
    if not len(examples):
        raise DataError("expected examples to evaluate on, got none")
    load_weights(module, weights)
    total, right, known = 0.0, 0, True
    with evaluating(module), torch.no_grad():
        for start in range(0, len(examples), batch_size):
            numbers = np.arange(start, min(start + batch_size, len(examples)), dtype=np.int64)
            mean, correct = _batch(module, examples.batch(numbers), loss)
            total += mean * len(numbers)
            known = known and correct is not None
            right += correct or 0
    return total / len(examples), right / len(examples) if known else None


def _batch(module: nn.Module, batch: tuple[Any, Any], loss: Loss) -> tuple[float, int | None]:
    inputs, targets = batch
    args, kwargs = arguments(cloned(inputs))
    output = module(*args, **kwargs)
    return float(one_loss(loss, output, targets)), _correct(output, targets)


def _correct(output: Any, targets: Any) -> int | None:
    right = hits(output, targets)
    return None if right is None else int(right.sum())


def hits(output: Any, targets: Any) -> Tensor | None:
    """Return which examples are right, bool [B]; None where the targets are not integer classes."""
    if not (isinstance(output, Tensor) and isinstance(targets, Tensor)):
        return None
    classes = not targets.is_floating_point() and not targets.is_complex()
    if not classes or output.dim() != 2 or targets.dim() != 1:
        return None
    return output.argmax(dim=1) == targets
