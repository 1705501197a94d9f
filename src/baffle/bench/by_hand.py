"""A step of SGD without torch.optim, which imports the compiler at its first use.

That is some 80 MiB, which would count as what training needs.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def step(parameters: Iterable[nn.Parameter], size: float) -> None:
    """Take a step and forget the gradients, in place.

    Args:
        parameters: those without a gradient stay.
        size: of the step.

    Example:
        >>> weight = nn.Parameter(torch.tensor([1.0]))
        >>> (3 * weight).sum().backward()
        >>> step([weight], 0.5)
        >>> weight.item(), weight.grad
        (-0.5, None)
    """
    found: list[tuple[Tensor, Tensor]] = [(p, p.grad) for p in parameters if p.grad is not None]
    if found:
        torch._foreach_add_([p for p, _ in found], [g for _, g in found], alpha=-size)
    for p, _ in found:
        p.grad = None
