"""What of a model will not work without back-propagation or on non-IID data, and what to do.

One function a check, one row in CHECKS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import UninitializedParameter

DIRECTIONS = 512
SLOW = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
RELUS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU)


@dataclass(frozen=True)
class Finding:
    """One thing to know of a model.

    Args:
        severity: "error" (it cannot be trained so), "warning" or "note".
        where: dotted name of the module or parameter.
        what: what is there.
        do: what to do about it.
    """

    severity: str
    where: str
    what: str
    do: str


Check = Callable[[nn.Module], Iterator[Finding]]


def check_model(model: nn.Module) -> list[Finding]:
    """Return what there is to know of a model, errors first.

    Args:
        model: any module; it is not run and not changed.

    Example:
        >>> [f.where for f in check_model(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))]
        ['1', 'all parameters']
    """
    order = {"error": 0, "warning": 1, "note": 2}
    lazy = list(uninitialised(model))
    checks = [] if lazy else CHECKS
    found = lazy + [finding for check in checks for finding in check(model)]
    return sorted(found, key=lambda finding: order[finding.severity])


def uninitialised(model: nn.Module) -> Iterator[Finding]:
    """Lazy parameters have no shape yet."""
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            yield Finding(
                "error",
                name,
                "has no shape before a first batch",
                "run the model once on an example",
            )


def untrainable(model: nn.Module) -> Iterator[Finding]:
    """Nothing to train, frozen tensors, dtypes that cannot be probed."""
    parameters = list(model.named_parameters())
    if not any(p.requires_grad for _, p in parameters):
        yield Finding("error", "all parameters", "none is trainable", "set requires_grad on some")
    frozen = [p for _, p in parameters if not p.requires_grad]
    if frozen:
        entries = sum(p.numel() for p in frozen)
        yield Finding(
            "note", "frozen parameters", f"{entries:,} entries stay as they are", "nothing"
        )
    for name, p in parameters:
        if p.requires_grad and not p.is_floating_point():
            yield Finding("error", name, f"is {p.dtype}", "train a float tensor in its place")
        elif p.requires_grad and p.dtype != torch.float32:
            yield Finding(
                "note", name, f"is {p.dtype}; the trained state is float32", "nothing, or cast it"
            )


def batch_norm(model: nn.Module) -> Iterator[Finding]:
    """Batch statistics: never updated by probes, and different at every client."""
    for name, module in model.named_modules():
        if not isinstance(module, _BatchNorm):
            continue
        if not module.track_running_stats:
            yield Finding(
                "error",
                name,
                "mixes the examples of a batch, also in eval mode",
                "baffle convert: GroupNorm in its place (Hsieh et al. 2020; Feng et al. 2024)",
            )
        else:
            yield Finding(
                "warning",
                name,
                "its running statistics stay as they are, since probes run in eval mode; trained "
                "elsewhere they fit no client of non-IID data",
                "baffle convert: GroupNorm in its place (Hsieh et al. 2020; Feng et al. 2024)",
            )


def dropout(model: nn.Module) -> Iterator[Finding]:
    """Dropout is off while probing."""
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p:
            yield Finding(
                "note", name, f"p = {module.p} is off: probes run in eval mode", "nothing"
            )


def relu(model: nn.Module) -> Iterator[Finding]:
    """Kinks; only modules are seen, a functional call inside forward is not."""
    for name, module in model.named_modules():
        if isinstance(module, RELUS):
            yield Finding(
                "warning",
                name,
                f"{type(module).__name__} has a kink, where loss differences say little",
                "baffle convert: Hardswish in its place (Feng et al. 2024)",
            )


def tied(model: nn.Module) -> Iterator[Finding]:
    """One parameter under several names."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for same in names.values():
        if len(same) > 1:
            yield Finding("note", same[0], f"is also {', '.join(same[1:])}: one tensor", "nothing")


def slow_modules(model: nn.Module) -> Iterator[Finding]:
    """Modules whose operations the batched engine has no rule for."""
    for name, module in model.named_modules():
        if isinstance(module, SLOW):
            yield Finding(
                "note", name, f"{type(module).__name__} is probed in a slower way", "nothing"
            )


def dimension(model: nn.Module) -> Iterator[Finding]:
    """What an estimate is worth at this size."""
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not size:
        return
    cosine = math.sqrt(DIRECTIONS / (DIRECTIONS + size))
    yield Finding(
        "warning" if cosine < 0.01 else "note",
        "all parameters",
        f"{size:,} trained entries: with K = {DIRECTIONS} directions the estimate's expected "
        f"cosine with the gradient is {cosine:.3f} at the most",
        "more directions, fewer trained entries (a head, LoRA factors), or back-propagation"
        if cosine < 0.05
        else "nothing",
    )


CHECKS: tuple[Check, ...] = (
    untrainable,
    batch_norm,
    dropout,
    relu,
    tied,
    slow_modules,
    dimension,
)
