"""A model as the method wants it: group norm for batch norm, Hardswish for ReLU.

Batch norm fails where clients' data differ, and group norm does not: Hsieh et al., "The Non-IID
Data Quagmire of Decentralized Machine Learning", ICML 2020. Group norm and Hardswish are what the
paper of this method uses: Feng et al., "BAFFLE: A Baseline of Backpropagation-Free Federated
Learning", ECCV 2024.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from baffle.errors import ModelError
from baffle.models.checks.calls import kept_functions, one_line
from baffle.models.checks.finding import Subject, is_lazy, place
from baffle.models.checks.layers import is_trained

SOURCES = """\
Hsieh et al. 2020: The Non-IID Data Quagmire of Decentralized Machine Learning, ICML 2020.
Feng et al. 2024: BAFFLE: A Baseline of Backpropagation-Free Federated Learning, ECCV 2024."""

LEFT = "left as it is"

Memo = dict[int, Any]


@dataclass(frozen=True)
class Change:
    """What became of one place in a model.

    Args:
        where: dotted name of the module; WHOLE for the model itself.
        before: what stood there.
        after: what stands there now; LEFT if that is the same.
        why: one sentence.

    Example:
        >>> str(Change("act", "ReLU", "Hardswish", "As advised."))
        'act: ReLU -> Hardswish. As advised.'
    """

    where: str
    before: str
    after: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.before} -> {self.after}. {self.why}"

    @property
    def done(self) -> bool:
        """Whether something was replaced."""
        return self.after != LEFT


def convert(module: nn.Module, example: Any = None) -> tuple[nn.Module, list[Change]]:
    """A copy with batch norm replaced by group norm and ReLU by Hardswish.

    After Hsieh et al. 2020 (group norm for clients whose data differ) and Feng et al. 2024 (group
    norm and Hardswish for training by forward passes).

    Args:
        module: any module; it is left as it was.
        example: inputs to run the copy on, as for `check_model`, so that ReLUs that a forward calls
            as a function are seen and reported; None to read its forward instead.

    Returns:
        The copy, in which a submodule or parameter that stood in two places still does, with the
        same devices, dtypes, training flags and requires_grad; and the changes, last what was left.

    Raises:
        ModelError: lazy tensors, TorchScript, or a module that cannot be copied.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 64, 3), nn.BatchNorm2d(64), nn.ReLU())
        >>> copied, changes = convert(model)
        >>> copied[1].num_groups, copied[2]
        (4, Hardswish())
        >>> [change.where for change in changes]
        ['1', '2']
    """
    _require_convertible(module)
    memo: Memo = {}
    changes: list[Change] = []
    for name, part in module.named_modules():
        rule = RULES.get(type(part))
        found = rule(part, memo) if rule else None
        if found is not None:
            # What is in the memo already stands for the original wherever the copy meets it.
            memo[id(part)], why = found
            changes.append(_change(name, part, memo[id(part)], why))
    copied = _copied(module, memo)
    changes += _replace_functions(copied)
    return copied, changes + list(_left(copied, example))


def _require_convertible(module: nn.Module) -> None:
    for name, tensor in Subject(module).tensors.items():
        if is_lazy(tensor):
            raise ModelError(
                f"expected initialised tensors, {name} has no shape yet; run one forward first."
            )
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            raise ModelError(
                f"expected Python modules, {place(name)} is TorchScript; convert the "
                "module that it was made from."
            )


def _copied(module: nn.Module, memo: Memo) -> nn.Module:
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # the user's attributes may refuse in any way
        raise ModelError(
            f"expected a module that can be copied, copying it failed: {one_line(error)}; make the "
            "replacements where it is made."
        ) from error


def _change(name: str, old: nn.Module, new: nn.Module, why: str) -> Change:
    if old._forward_hooks or old._forward_pre_hooks:
        why += " The hooks on it are gone."
    return Change(place(name), _text(old), _text(new), why)


def _text(part: nn.Module) -> str:
    return f"{type(part).__name__}({part.extra_repr()})"


def num_groups(channels: int) -> int:
    """How many groups channels are normalised in.

    Args:
        channels: at least 1.

    Returns:
        max(2, channels // 16), as in the paper, where that divides and leaves more than one channel
        a group; else the nearest number that does, the smaller of two. A prime number of channels
        is one group.

    Example:
        >>> [num_groups(c) for c in (64, 100, 7, 2)]
        [4, 5, 1, 1]
    """
    wanted = max(2, channels // 16)
    fitting = [g for g in range(1, max(2, channels // 2 + 1)) if channels % g == 0]
    return min(fitting, key=lambda g: (abs(g - wanted), g))


def _group_norm(old: nn.Module, memo: Memo) -> tuple[nn.Module, str] | None:
    assert isinstance(old, _BatchNorm)
    channels = old.num_features
    if isinstance(old, nn.BatchNorm1d) and channels == 1:
        return None  # a group of one number is always 0
    new = nn.GroupNorm(num_groups(channels), channels, old.eps, affine=False)
    new.affine = old.affine
    new.weight = copy.deepcopy(old.weight, memo)
    new.bias = copy.deepcopy(old.bias, memo)
    new.training = old.training
    return new, " ".join(_about_group_norm(old))


def _about_group_norm(old: _BatchNorm) -> Iterator[str]:
    yield (
        "Statistics of an example's own groups hold on clients whose data differ (Hsieh et al. "
        "2020; Feng et al. 2024, BAFFLE)."
    )
    if isinstance(old, nn.BatchNorm1d):
        yield "On (N, C) inputs each group is normalised over its C / groups numbers."
    if is_trained(old):
        yield "Its trained running statistics are gone: outputs change until it is trained again."


def _hardswish(old: nn.Module, memo: Memo) -> tuple[nn.Module, str]:
    new = nn.Hardswish(inplace=bool(old.inplace))
    new.training = old.training
    return new, ADVISED


ADVISED = "The paper of this method advises Hardswish (Feng et al. 2024, BAFFLE)."

RULES: Mapping[type[nn.Module], Callable[[nn.Module, Memo], tuple[nn.Module, str] | None]] = {
    nn.BatchNorm1d: _group_norm,
    nn.BatchNorm2d: _group_norm,
    nn.BatchNorm3d: _group_norm,
    nn.SyncBatchNorm: _group_norm,
    nn.ReLU: _hardswish,
    nn.ReLU6: _hardswish,
}
"""By exact type, since a subclass may do more: its replacement and why, None to leave it."""

FUNCTIONS = {functional.relu: "relu", torch.relu: "relu", functional.relu6: "relu6"}


def _replace_functions(copied: nn.Module) -> list[Change]:
    """Replace functions that modules keep as an attribute, in place."""
    changes = []
    for name, part in copied.named_modules():
        for attribute, function in kept_functions(part, FUNCTIONS):
            setattr(part, attribute, functional.hardswish)
            before, after = f"{attribute} = {function}", f"{attribute} = hardswish"
            changes.append(Change(place(name), before, after, ADVISED))
        if isinstance(part, nn.TransformerEncoderLayer) and not _is_relu_or_gelu(part.activation):
            part.activation_relu_or_gelu = 0  # else its fast path would go on with ReLU
    return changes


def _is_relu_or_gelu(activation: Any) -> bool:
    kept = activation in (functional.relu, functional.gelu)
    return kept or isinstance(activation, (nn.ReLU, nn.GELU))


def _left(copied: nn.Module, example: Any) -> Iterator[Change]:
    """Yield what still is batch norm or ReLU, and what could not be looked into."""
    for name, part in copied.named_modules():
        why = _why_left(part)
        if why:
            yield Change(place(name), type(part).__name__, LEFT, why)
    calls = Subject(copied, example).calls
    for call in calls.seen:
        if call.function in ("relu", "relu6", "batch_norm"):
            why = "It is called as a function, which only its author can replace in the code."
            yield Change(place(call.where), f"{call.function} in forward", LEFT, why)
    for name, reason in calls.unread:
        why = f"It could not be looked into ({reason}): it may call functions such as F.relu."
        yield Change(place(name), "forward", LEFT, why)


def _why_left(part: nn.Module) -> str:
    if isinstance(part, nn.BatchNorm1d) and part.num_features == 1:
        return "Group norm of a single number would always be 0."
    if isinstance(part, (_BatchNorm, nn.ReLU, nn.ReLU6)):
        return "It is a class of its own, derived from torch's, and may do more than that one."
    if isinstance(part, nn.RNN) and part.nonlinearity == "relu":
        return "It computes ReLU itself and cannot do Hardswish; its other nonlinearity is tanh."
    return ""


def summary(changes: Iterable[Change]) -> str:
    """The changes for people, a line each, with their sources.

    Args:
        changes: as `convert` returns them.

    Returns:
        The lines.

    Example:
        >>> print(summary(convert(nn.Linear(2, 2))[1]))
        0 replaced, 0 left as they are.
    """
    listed = list(changes)
    replaced = sum(change.done for change in listed)
    lines = [str(change) for change in listed]
    lines.append(f"{replaced} replaced, {len(listed) - replaced} left as they are.")
    return "\n".join(lines + ([SOURCES] if replaced else []))


def write_state(module: nn.Module, path: Path | str) -> None:
    """Write a module's tensors as safetensors.

    A tensor under several names is written once, under the first; `safetensors.torch.load_model`
    reads the file into a module of the same making.

    Args:
        module: whose state is written, from any device.
        path: of the file; an existing one is replaced, and only by a whole one.

    Raises:
        ModelError: the module keeps something else than tensors with values, or the file cannot be
            written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
        >>> write_state(nn.Linear(2, 2), path)
        >>> from safetensors.torch import load_file
        >>> sorted(load_file(path))
        ['bias', 'weight']
    """
    path = Path(path)
    state, aliases = _state(module)
    unfinished = path.with_name(path.name + ".tmp")
    try:
        save_file(state, unfinished, {"format": "pt", **aliases})
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        raise ModelError(f"expected to write {str(path)!r}, which failed: {error}.") from error


def _state(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return every tensor under its first name, and its other names with that one."""
    first: dict[int, str] = {}
    state, aliases = {}, {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor) or is_lazy(tensor) or tensor.is_meta:
            raise ModelError(f"expected a tensor with values, {name} is none.")
        known = first.setdefault(id(tensor), name)
        if known != name:
            aliases[name] = known
        else:
            state[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return state, aliases
