"""Initial weights that are a function of the seed and of each tensor's name.

The words come from NumPy's Philox bit generator, whose raw output NumPy promises never to change,
and every operation on them is exact or rounded once: the same bits on every machine, whatever the
version of torch. A tensor's weights do not depend on the other tensors of the model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from baffle.errors import ModelError

INITS: Mapping[str, tuple[Callable[[int], float], bool]] = {
    "torch": (lambda fan_in: math.sqrt(1 / fan_in), True),
    "he": (lambda fan_in: math.sqrt(6 / fan_in), False),
}
"""Half width of the uniform distribution by fan-in, and whether biases are drawn as well."""


def uniform(shape: tuple[int, ...], bound: float, seed: int, name: str) -> NDArray[np.float32]:
    """Numbers drawn evenly from −bound … bound.

    Args:
        shape: of the array.
        bound: half the width of the interval.
        seed: 0 or more.
        name: of the tensor; another name gives other numbers.

    Returns:
        float32, of that shape.

    Example:
        >>> bool((abs(uniform((2, 3), 0.5, 0, "weight")) <= 0.5).all())
        True
    """
    address = repr(("baffle.models", int(seed), name)).encode()
    key = int.from_bytes(hashlib.sha256(address).digest()[:16], "little")
    words = np.random.Philox(key=key).random_raw(math.prod(shape))
    # 24 bits are exact in float32 and in float64; the product with the bound is what rounds.
    signed = (words >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
    return (signed * bound).astype(np.float32).reshape(shape)


def initialise(model: nn.Module, seed: int, init: str = "torch") -> None:
    """Overwrites a model's weights, in place.

    Args:
        model: of convolutions, linear layers and layers without weights.
        seed: 0 or more.
        init: "torch": weights and biases uniform in ±√(1/fan-in), the bounds that torch itself has,
            and so the reference code; "he": weights uniform in ±√(6/fan-in), biases zero.

    Raises:
        ModelError: unknown init, or a layer with weights for which no rule is known.

    Example:
        >>> layer = nn.Linear(4, 2)
        >>> initialise(layer, seed=0, init="he")
        >>> layer.bias.tolist()
        [0.0, 0.0]
    """
    if init not in INITS:
        raise ModelError(f"expected an init among {', '.join(sorted(INITS))}, got {init!r}.")
    for name, layer in model.named_modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            _fill(layer, name, seed, init)
        elif any(True for _ in layer.parameters(recurse=False)):
            raise ModelError(
                f"expected weights in convolutions and linear layers only, found some in {name!r} "
                f"({type(layer).__name__}); initialise this model yourself."
            )


def _fill(layer: nn.Conv1d | nn.Conv2d | nn.Linear, name: str, seed: int, init: str) -> None:
    bound_of, draw_bias = INITS[init]
    bound = bound_of(layer.weight[0].numel())
    with torch.no_grad():
        for role, parameter in layer.named_parameters(recurse=False):
            if role == "bias" and not draw_bias:
                parameter.zero_()
                continue
            tensor_name = f"{name}.{role}" if name else role
            values = uniform(tuple(parameter.shape), bound, seed, tensor_name)
            parameter.copy_(torch.from_numpy(values))
