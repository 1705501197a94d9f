"""Low-rank adapters: a frozen layer W plus a trained product B A of rank r.

    y = W x + B (A x),   A [r, inputs] drawn from a seed, B [outputs, r] zero at the start

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, section 4.1, with α = r.
The first model is the one that was given, since B = 0. So the derivative along A is zero there: a
probe learns of A only what B has become. `freeze_down` keeps A as drawn, which leaves half of the
dimension or less and a function that is linear in each B (Zhang et al., "LoRA-FA", 2023, section
3): an estimate's squared relative error is about d/K.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError
from baffle.models.init import uniform

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
CONVOLUTIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: functional.conv1d,
    nn.Conv2d: functional.conv2d,
    nn.Conv3d: functional.conv3d,
}


class LoRA(nn.Module):
    """A layer with an adapter beside it.

    Args:
        base: a linear layer or a convolution of one group.
        rank: r, at least 1.

    Attributes:
        base: the layer that was given.
        down: A, [r, inputs], for a convolution [r, channels, *kernel].
        up: B, [outputs, r], for a convolution [outputs, r, 1, …]; zero.

    Example:
        >>> layer = LoRA(nn.Linear(5, 3), rank=2)
        >>> tuple(layer.down.shape), tuple(layer.up.shape)
        ((2, 5), (3, 2))
    """

    def __init__(self, base: nn.Linear | Conv, rank: int) -> None:
        super().__init__()
        weight = base.weight
        ones = [1] * (weight.dim() - 2)
        self.base = base
        self.down = nn.Parameter(weight.new_zeros(rank, *weight.shape[1:]))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank, *ones))

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + B (A x)."""
        base: Tensor = self.base(x)
        return base + self._adapted(x)

    def _adapted(self, x: Tensor) -> Tensor:
        if isinstance(self.base, nn.Linear):
            return functional.linear(functional.linear(x, self.down), self.up)
        convolve, b = CONVOLUTIONS[type(self.base)], self.base
        padding: str | tuple[int, ...] | int = b.padding
        if b.padding_mode != "zeros":
            x, padding = functional.pad(x, b._reversed_padding_repeated_twice, b.padding_mode), 0
        inner = convolve(x, self.down, None, b.stride, padding, b.dilation)
        return convolve(inner, self.up)

    def merged(self) -> nn.Linear | Conv:
        """Return the layer that was given, with W + B A in the place of W.

        Its weight is a tensor of its own then: what W was tied to, an embedding say, keeps W. Each
        entry is rounded once more, so outputs agree to rounding only.
        """
        weight = self.base.weight
        with torch.no_grad():
            product = self.up.flatten(1) @ self.down.flatten(1)
            merged = weight + product.view_as(weight)
        self.base.weight = nn.Parameter(merged, requires_grad=weight.requires_grad)
        return self.base


def add_lora(
    model: nn.Module,
    rank: int,
    targets: Sequence[str] = ("*",),
    *,
    seed: int = 0,
    freeze_down: bool = False,
) -> list[str]:
    """Put adapters beside a model's layers and freeze everything else, in place.

    Args:
        model: any module.
        rank: r, at least 1 and at most each layer's number of inputs and of outputs.
        targets: shell patterns of dotted module names, for example ("layers.*.attention.q",);
            linear layers and convolutions of one group among what fits get an adapter.
        seed: 0 or more, of A: uniform in ±√(1/fan-in), the same bits on every machine, another
            draw for each layer's name.
        freeze_down: train B alone.

    Returns:
        Names of the layers, in the model's order; NAME.down and NAME.up are its parameters. The
        outputs are what they were. The dimension is r (inputs + outputs) a layer, r · outputs
        with `freeze_down`.

    Raises:
        ModelError: no layer fits, a rank that is no rank of a layer, or the model itself is the
            layer; nothing has been changed then.

    Example:
        >>> model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
        >>> add_lora(model, rank=2, targets=["2"])
        ['2']
        >>> [name for name, p in model.named_parameters() if p.requires_grad]
        ['2.down', '2.up']
    """
    found = _fitting(model, targets)
    for name, layer in found.items():
        least = min(layer.weight.shape[0], layer.weight[0].numel())
        if not 1 <= rank <= least:
            raise ModelError(f"{name}: expected a rank from 1 to {least}, got {rank}")
    model.requires_grad_(False)
    adapters = {id(layer): _adapter(layer, name, rank, seed) for name, layer in found.items()}
    for adapter in adapters.values():
        adapter.down.requires_grad_(not freeze_down)
        adapter.up.requires_grad_(True)
    _replace(model, lambda part: adapters.get(id(part)))
    return list(found)


def merge_lora(model: nn.Module) -> list[str]:
    """Put W + B A in the place of each adapted layer, in place; what is trained stays as it is.

    Returns:
        Names of the layers that had an adapter. The merged weights are frozen, and tied to nothing.

    Raises:
        ModelError: the model itself is an adapted layer; call its `merged` instead.

    Example:
        >>> model = nn.Sequential(nn.Linear(5, 4))
        >>> add_lora(model, rank=2) == merge_lora(model)
        True
        >>> model[0]
        Linear(in_features=5, out_features=4, bias=True)
    """
    if isinstance(model, LoRA):
        raise ModelError("expected a model that holds adapted layers, got one; call its merged()")
    names = [name for name, part in model.named_modules() if isinstance(part, LoRA)]
    done: dict[int, nn.Module] = {}

    def once(part: nn.Module) -> nn.Module | None:
        if isinstance(part, LoRA):
            return done.setdefault(id(part), part.base if id(part) in done else part.merged())
        return None

    _replace(model, once)
    return names


def _fitting(model: nn.Module, targets: Sequence[str]) -> dict[str, nn.Linear | Conv]:
    named = {name: part for name, part in model.named_modules() if type(part) in KINDS}
    if "" in named:
        raise ModelError("expected a model that holds layers, got a layer; wrap it in Sequential")
    adapted = {id(p.base) for p in model.modules() if isinstance(p, LoRA)}
    found = {
        name: part
        for name, part in named.items()
        if getattr(part, "groups", 1) == 1
        and id(part) not in adapted
        and any(fnmatchcase(name, pattern) for pattern in targets)
    }
    if not found:
        offered = ", ".join(list(named)[:8]) or "none"
        raise ModelError(
            f"expected patterns that fit a linear layer or a convolution of one group, got "
            f"{', '.join(targets)}; the model's layers begin with {offered}"
        )
    return found  # type: ignore[return-value]


def _adapter(layer: nn.Linear | Conv, name: str, rank: int, seed: int) -> LoRA:
    adapter = LoRA(layer, rank)
    bound = math.sqrt(1 / layer.weight[0].numel())
    drawn = uniform(tuple(adapter.down.shape), bound, seed, f"{name}.down")
    with torch.no_grad():
        adapter.down.copy_(torch.from_numpy(drawn))
    adapter.train(layer.training)
    return adapter


def _replace(model: nn.Module, new: Callable[[nn.Module], nn.Module | None]) -> None:
    """Put new modules in all places where an old one stands."""
    for parent, name, part in list(_places(model)):
        if (found := new(part)) is not None:
            setattr(parent, name, found)


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in model.modules():
        for name, part in parent._modules.items():
            if part is not None:
                yield parent, name, part
