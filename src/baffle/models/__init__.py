"""Models, by name, with initial weights that are a function of a seed.

    build(name, in_shape, classes, seed, …)   one of MODELS   -> torch.nn.Module

Add one by adding a row. They are plain torch modules; any other module is as good to the library,
as long as its losses are a function of its weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from baffle.errors import ModelError
from baffle.models import convnet, lenet, lenet5, linear, mlp, signal, wrn
from baffle.models.cost import Cost, count
from baffle.models.init import initialise

__all__ = ["MODELS", "Cost", "build", "count", "initialise"]

MODELS: Mapping[str, Callable[..., nn.Module]] = {
    "convnet": convnet.convnet,
    "lenet": lenet.lenet,
    "lenet5": lenet5.lenet5,
    "linear": linear.linear,
    "mlp": mlp.mlp,
    "signal": signal.signal,
    "wrn": wrn.wrn,
}


def build(
    name: str,
    in_shape: tuple[int, ...],
    classes: int,
    seed: int,
    *,
    init: str = "torch",
    **options: Any,
) -> nn.Module:
    """A model by name, float32, on the CPU.

    Args:
        name: one of MODELS.
        in_shape: shape of one row of the data, `Dataset.in_shape`.
        classes: number of outputs, at least 2.
        seed: 0 or more; the same seed gives the same initial weights, bit for bit, on every machine
            and every version of torch. torch's own random state is left as it was.
        init: rule of the initial weights, see `baffle.models.init.initialise`.
        options: the model's own, for instance norm="group" for "lenet".

    Returns:
        The model.

    Raises:
        ModelError: unknown name or option, or rows that the model cannot take.

    Example:
        >>> count(build("lenet", (1, 32, 32), classes=10, seed=0), (1, 32, 32))
        Cost(parameters=26730, multiply_adds=6963840)
    """
    if name not in MODELS:
        raise ModelError(f"expected a model among {', '.join(sorted(MODELS))}, got {name!r}.")
    _check_options(name, options)
    if classes < 2 or seed < 0 or not in_shape or min(in_shape) < 1:
        raise ModelError(
            f"{name}: expected 2 classes or more, a seed of 0 or more and rows that are not empty, "
            f"got classes={classes}, seed={seed}, in_shape={tuple(in_shape)}."
        )
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = MODELS[name](tuple(in_shape), classes, **options).to(torch.float32)
    initialise(model, seed, init)
    return model


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(MODELS[name]).parameters.values()
    known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    for option in sorted(options.keys() - known):
        raise ModelError(
            f"{name}: expected options among {', '.join(sorted(known | {'init'}))}, got an unknown "
            f"{option}."
        )
