"""BatchNorm to GroupNorm, ReLU to Hardswish: what probing and non-IID clients ask of a model.

GroupNorm for federations with skewed data is from Hsieh, Phanishayee, Mutlu, Gibbons, "The Non-IID
Data Quagmire of Decentralized Machine Learning", ICML 2020; Hardswish and GroupNorm for training
by loss differences are from Feng et al., BAFFLE, ECCV 2024.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_model
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

GROUP_NORM = "GroupNorm for BatchNorm (Hsieh et al. 2020; Feng et al. 2024)"
HARDSWISH = "Hardswish for ReLU (Feng et al. 2024)"


@dataclass(frozen=True)
class Change:
    """One module that was replaced: its dotted name, what stood there, what stands there, why."""

    where: str
    before: str
    after: str
    why: str


def convert(model: nn.Module) -> tuple[nn.Module, list[Change]]:
    """Return a converted copy and what was changed.

    Args:
        model: any module; it stays as it is. Scale and shift of a norm are kept, its running
            statistics are not. Calls of functions inside forward (`F.relu`) are not seen.

    Example:
        >>> model, changes = convert(nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()))
        >>> [change.after.partition("(")[0] for change in changes]
        ['GroupNorm', 'Hardswish']
    """
    made = copy.deepcopy(model)
    changes: list[Change] = []
    replaced: dict[int, nn.Module] = {}
    holder = nn.Module()
    holder.add_module("root", made)
    _walk(holder, "", replaced, changes)
    return holder.get_submodule("root"), changes


def _walk(
    parent: nn.Module, path: str, replaced: dict[int, nn.Module], changes: list[Change]
) -> None:
    """Replace children depth first; a module that stands in two places is replaced by one."""
    for name, child in list(parent.named_children()):
        where = f"{path}.{name}" if path else name
        if id(child) not in replaced:
            after = _replacement(child)
            replaced[id(child)] = after
            if after is child:
                _walk(child, where, replaced, changes)
            else:
                replaced[id(after)] = after
                why = GROUP_NORM if isinstance(after, nn.GroupNorm) else HARDSWISH
                shown = where.removeprefix("root").lstrip(".") or "the model"
                changes.append(Change(shown, str(child), str(after), why))
        setattr(parent, name, replaced[id(child)])


def _replacement(module: nn.Module) -> nn.Module:
    if isinstance(module, _BatchNorm):
        return _group_norm(module).train(module.training)
    if type(module) in (nn.ReLU, nn.ReLU6):
        return nn.Hardswish(inplace=False).train(module.training)
    return module


def _group_norm(norm: _BatchNorm) -> nn.GroupNorm:
    channels = norm.num_features
    made = nn.GroupNorm(num_groups(channels), channels, eps=norm.eps, affine=norm.affine)
    if norm.affine:
        made = made.to(device=norm.weight.device, dtype=norm.weight.dtype)
        with torch.no_grad():
            made.weight.copy_(norm.weight)
            made.bias.copy_(norm.bias)
        made.weight.requires_grad_(norm.weight.requires_grad)
        made.bias.requires_grad_(norm.bias.requires_grad)
    return made


def num_groups(channels: int) -> int:
    """Return the divisor of the channels next to max(2, channels // 16), the paper's groups.

    Example:
        >>> [num_groups(c) for c in (1, 3, 16, 48, 64)]
        [1, 1, 2, 3, 4]
    """
    wanted = max(2, channels // 16)
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    return min(divisors, key=lambda g: (abs(g - wanted), g))


def write_state(model: nn.Module, path: Path) -> None:
    """Write a model's state as safetensors; tied tensors are written once."""
    save_model(model, str(path))
