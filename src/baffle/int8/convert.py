"""From a float model to its int8 form: ranges seen on some examples, layers exchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from baffle.errors import ModelError
from baffle.int8.arithmetic import LARGEST
from baffle.int8.layers import Int8Conv2d, Int8Linear, Range

LAYERS: Mapping[type[nn.Module], Callable[..., nn.Module]] = {
    nn.Linear: Int8Linear,
    nn.Conv2d: Int8Conv2d,
}


def to_int8(
    module: nn.Module,
    examples: Iterable[Any],
    trained: str = "weights",
    keep: Iterable[str] = (),
    room: float = 2.0,
) -> nn.Module:
    """Return a copy whose linear layers and convolutions compute with int8 kernels' arithmetic.

    Weights have a step a channel out, activations one a layer, by the ranges that the examples
    show. Batch normalisation in evaluation mode, and all else, stays in floats.

    Args:
        module: a float32 model.
        examples: batches of inputs, each a tensor, a tuple or a dict; some hundred rows do.
        trained: "weights": int8 weights and biases; "gains": a gain a channel, and biases.
        keep: names of layers that stay as they are.
        room: how far a channel's grid reaches, in units of its largest weight now. A weight can
            grow to there and no further; the steps are the coarser. 1 for weights that stay, 4 for
            a model that has much to learn.

    Returns:
        The copy, in evaluation mode. A frozen layer's form is frozen, and other parameters are as
        they were.

    Raises:
        ModelError: nothing to exchange, a name in `keep` is none, a layer that the examples never
            reach, or one with another padding than zeros.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> sorted(name for name, _ in to_int8(net, [torch.rand(8, 4)]).named_parameters())
        ['0.bias', '0.int8', '2.bias', '2.int8']
    """
    if trained not in ("weights", "gains"):
        raise ModelError(f"expected trained to be weights or gains, got {trained!r}")
    if not 1 <= room <= LARGEST:
        raise ModelError(f"expected a room of 1 to {LARGEST}, got {room}")
    found = copy.deepcopy(module).eval()
    kept = set(keep)
    layers = {n: m for n, m in found.named_modules() if type(m) in LAYERS and n not in kept}
    unknown = kept - {name for name, _ in found.named_modules()}
    if unknown or not layers:
        raise ModelError(
            f"expected linear layers or convolutions to exchange, and known names to keep; found "
            f"{len(layers)} layers, unknown names {sorted(unknown)}"
        )
    seen = _ranges(found, layers, examples)
    places = list(found.named_modules(remove_duplicate=False))  # a layer may stand at several
    for name, layer in layers.items():
        if name not in seen:
            raise ModelError(f"no example reached {name}: its input's range is not known")
        made = _made(name, layer, seen[name], trained == "gains", room)
        for place, module_there in places:
            if module_there is layer:
                _exchange(found, place, made)
    return found.eval()


def _made(name: str, layer: nn.Module, seen: Range, gains: bool, room: float) -> nn.Module:
    try:
        return LAYERS[type(layer)](layer, seen, gains, room)
    except ValueError as no:
        raise ModelError(f"{name}: {no}") from None


def _ranges(
    module: nn.Module, layers: Mapping[str, nn.Module], examples: Iterable[Any]
) -> dict[str, Range]:
    """Return the range of each layer's input over all examples."""
    seen: dict[str, Range] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            low, high = (float(x) for x in torch.aminmax(inputs[0]))
            old = seen.get(name, Range(low, high))
            seen[name] = Range(min(low, old.low), max(high, old.high))

        return hook

    with ExitStack() as hooks, torch.no_grad():
        for name, layer in layers.items():
            hooks.callback(layer.register_forward_pre_hook(note(name)).remove)
        for batch in examples:
            _run(module, batch)
    return seen


def _run(module: nn.Module, inputs: Any) -> None:
    if isinstance(inputs, dict):
        module(**inputs)
    elif isinstance(inputs, (tuple, list)):
        module(*inputs)
    else:
        module(inputs)


def _exchange(module: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, layer)
