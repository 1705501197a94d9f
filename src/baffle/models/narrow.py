"""A chain of layers with fewer channels and units: whole outputs are taken out of it.

The result is a plain smaller module, with nothing to keep at zero: any directions train it, and it
costs less by as much as it is smaller. What is covered is a chain: linear layers and ungrouped
convolutions in an `nn.Sequential` (which may hold others), and between them norms, elementwise
activations, pooling, dropout and flattening. Shortcuts, grouped and transposed convolutions,
attention and recurrence are not: there other layers would have to agree on what goes.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from baffle.errors import ModelError

Layer = nn.Linear | _ConvNd
Named = tuple[str, nn.Module]
ELEMENTWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU),
    *(nn.Mish, nn.Softplus, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
)
POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)


def structured(model: nn.Sequential, share: float) -> nn.Sequential:
    """A smaller copy of a chain: each layer but the last loses the outputs of the least weights.

    Args:
        model: the chain; it is left as it was.
        share: of each layer's outputs that go, in (0, 1), rounded down; with a group norm behind
            it, of each of its groups. Those whose weights have the least sum of magnitudes go.

    Returns:
        The copy, with the same names.

    Raises:
        ModelError: the share is out of range, or the chain has a module that is not covered; names
            it.

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017.

    Example:
        >>> small = structured(nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 3)), 0.5)
        >>> [tuple(p.shape) for p in small.parameters()]
        [(4, 9), (4,), (3, 4), (3,)]
    """
    if not 0 < share < 1:
        raise ModelError(f"expected a share of outputs between 0 and 1, got {share}")
    found = copy.deepcopy(model)
    links = list(_links("", found))
    _require_once(links)
    places = [i for i, (_, module) in enumerate(links) if isinstance(module, Layer)]
    if len(places) < 2:
        raise ModelError(f"expected a chain of two layers or more, got {len(places)}")
    for start, stop in itertools.pairwise(places):
        between = links[start + 1 : stop]
        first, last = links[start], links[stop]
        _require_covered(first, between, last)
        kept = strongest(_layer(first), share, _groups(between))
        take_out(_layer(first), [m for _, m in between], _layer(last), kept)
    return found


def strongest(layer: Layer, share: float, groups: int = 1) -> Tensor:
    """Return which outputs stay when a share of each group goes: ascending numbers, int64.

    Sums are exact and rounded once, so that every machine chooses the same.
    """
    rows = layer.weight.detach().abs().double().flatten(1).tolist()
    size = len(rows) // groups
    count = size - int(share * size)
    kept: list[int] = []
    for start in range(0, len(rows), size):
        group = range(start, start + size)
        sums = {row: math.fsum(rows[row]) for row in group}
        kept += sorted(sorted(group, key=lambda row: -sums[row])[:count])
    return torch.tensor(kept)


def take_out(first: Layer, between: Sequence[nn.Module], last: Layer, kept: Tensor) -> None:
    """Leave only some outputs of a layer, in place.

    Args:
        first: the layer.
        between: what its outputs go through, one by one, before `last`; its norms become smaller.
        last: the layer that takes them; behind a convolution and a flattening it has several
            inputs a channel.
        kept: numbers of the outputs that stay, ascending.
    """
    before = len(first.weight)
    _keep(first, "weight", kept)
    _keep(first, "bias", kept)
    setattr(first, "out_features" if isinstance(first, nn.Linear) else "out_channels", len(kept))
    for module in between:
        _narrow_norm(module, kept)
    each = last.weight.shape[1] // before
    inputs = (kept[:, None] * each + torch.arange(each)).flatten()
    _keep(last, "weight", inputs, axis=1)
    setattr(last, "in_features" if isinstance(last, nn.Linear) else "in_channels", len(inputs))


def _narrow_norm(module: nn.Module, kept: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _keep(module, name, kept)
    if isinstance(module, _BatchNorm):
        module.num_features = len(kept)
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = len(kept)
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = (len(kept),)


def _keep(module: nn.Module, name: str, kept: Tensor, axis: int = 0) -> None:
    value = getattr(module, name, None)
    if value is None:
        return
    fresh = value.detach().index_select(axis, kept.to(value.device)).clone()
    parameter = isinstance(value, nn.Parameter)
    setattr(module, name, nn.Parameter(fresh, value.requires_grad) if parameter else fresh)


def _layer(link: Named) -> Layer:
    module = link[1]
    assert isinstance(module, Layer)
    return module


def _links(name: str, chain: nn.Module) -> Iterator[Named]:
    """Yield every module of a chain with its dotted name, inner chains' in their places."""
    if not isinstance(chain, nn.Sequential) or type(chain).forward is not nn.Sequential.forward:
        yield name, chain
        return
    for own, module in chain._modules.items():
        assert module is not None
        yield from _links(f"{name}.{own}" if name else own, module)


def _require_once(links: Sequence[Named]) -> None:
    layers = [(name, module) for name, module in links if isinstance(module, Layer)]
    shared = {id(p) for _, m in layers for p in m.parameters()}
    if len(shared) < sum(len(list(m.parameters())) for _, m in layers):
        raise ModelError("expected layers with weights of their own, got one that stands twice")


def _groups(between: Sequence[Named]) -> int:
    """Return the number of groups that have to stay alike: of all group norms together."""
    return math.lcm(*(m.num_groups for _, m in between if isinstance(m, nn.GroupNorm)))


def _require_covered(first: Named, between: Sequence[Named], last: Named) -> None:
    for name, module in (first, last):
        grouped = isinstance(module, _ConvNd) and module.groups > 1
        if grouped or isinstance(module, _ConvTransposeNd):
            _refuse(name, module)
    flat = isinstance(first[1], nn.Linear)
    for name, module in between:
        flattens = isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1)
        by_channel = isinstance(module, (_BatchNorm, nn.GroupNorm, *POOLS)) and not flat
        vector = isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1
        by_unit = (vector or isinstance(module, nn.BatchNorm1d)) and flat
        plain = isinstance(first[1], nn.Linear) or not by_unit  # a norm of channels × pixels
        if not (flattens or by_channel or (by_unit and plain) or isinstance(module, ELEMENTWISE)):
            _refuse(name, module)
        flat = flat or flattens
    if flat != isinstance(last[1], nn.Linear):
        _refuse(*last)


def _refuse(name: str, module: nn.Module) -> None:
    raise ModelError(
        f"expected a chain of linear layers and ungrouped convolutions with norms, activations and "
        f"pooling between them, got {name}: {type(module).__name__}; prune by_magnitude or n_of_m, "
        "or build the smaller model by hand"
    )
