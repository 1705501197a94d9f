"""Softmax regression: one linear layer."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn


def linear(in_shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """One linear layer on the flattened row; its loss is convex in the weights.

    Args:
        in_shape: shape of one row.
        classes: number of outputs.

    Returns:
        The model, with weights that `build` replaces.

    Example:
        >>> sum(p.numel() for p in linear((1, 8, 8), 10).parameters())
        650
    """
    head = nn.Linear(math.prod(in_shape), classes)
    return nn.Sequential(OrderedDict(flatten=nn.Flatten(), head=head))
