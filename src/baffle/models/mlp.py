"""A multilayer perceptron."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from baffle.models.layers import activation as activation_layer


def mlp(
    in_shape: tuple[int, ...],
    classes: int,
    *,
    widths: Sequence[int] = (64,),
    activation: str = "hardswish",
) -> nn.Sequential:
    """Linear layers with an activation between them.

    Args:
        in_shape: shape of one row, flattened first.
        classes: number of outputs.
        widths: units of each hidden layer.
        activation: "hardswish", "relu" or "selu".

    Returns:
        The model, with weights that `build` replaces.

    Raises:
        ModelError: unknown activation.

    Example:
        >>> sum(p.numel() for p in mlp((64,), 10, widths=(32,)).parameters())
        2410
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    sizes = [math.prod(in_shape), *widths]
    for number, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
        layers[f"linear{number}"] = nn.Linear(before, after)
        layers[f"act{number}"] = activation_layer(activation)
    layers["head"] = nn.Linear(sizes[-1], classes)
    return nn.Sequential(layers)
