"""Checks of a model's layers: what they do in eval mode, under probes, on clients' own data.

Sources: Hsieh et al., "The Non-IID Data Quagmire of Decentralized Machine Learning", ICML 2020, for
batch norm; Feng et al., "BAFFLE: A Baseline of Backpropagation-Free Federated Learning", ECCV 2024,
for group norm and Hardswish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils import parametrize

from baffle.models.checks.calls import FUNCTIONS, kept_functions
from baffle.models.checks.finding import Finding, Severity, Subject, is_lazy, place
from baffle.models.checks.shelter import is_scripted

TO_GROUP_NORM = (
    "Replace it by GroupNorm (Hsieh et al. 2020; Feng et al. 2024), as `baffle convert` does."
)

RELU_LAYERS: Mapping[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.LeakyReLU: "leaky_relu",
    nn.PReLU: "prelu",
    nn.RReLU: "rrelu",
}


@dataclass(frozen=True)
class Slower:
    """Layers that probing takes a slower way through: which, what is done instead, what helps."""

    kinds: tuple[type[nn.Module], ...]
    way: str
    mend: str
    applies: Callable[[nn.Module], bool] = lambda part: True


_FREEZE = "freeze its weights with requires_grad_(False)."

SLOWER: tuple[Slower, ...] = (
    Slower(
        (nn.Embedding, nn.EmbeddingBag),
        "its max_norm writes into the weights, so the whole model goes one direction at a time",
        f"Leave max_norm away, or {_FREEZE}",
        lambda part: part.max_norm is not None,
    ),
)
"""Layers that the batched pass has no rule for, and what is done instead."""


def batch_norm(subject: Subject) -> Iterator[Finding]:
    """Statistics over a batch, or left over from training.

    Example:
        >>> [f.severity for f in batch_norm(Subject(nn.BatchNorm1d(2)))]
        ['warning']
    """
    for name, part in subject.parts(_NormBase):
        if part.running_mean is None and isinstance(part, _BatchNorm):
            yield _mixing(name)
        elif part.running_mean is not None and not is_lazy(part.running_mean):
            yield _running(name, part)
    for call in subject.calls.seen:
        if call.function == "batch_norm" and call.training:
            yield _mixing(place(call.where))


def _mixing(name: str) -> Finding:
    return Finding(
        "error",
        name,
        "Batch norm without running statistics mixes the examples of a batch, also in eval mode.",
        TO_GROUP_NORM,
    )


def _running(name: str, norm: _NormBase) -> Finding:
    kind = "Batch norm" if isinstance(norm, _BatchNorm) else "Instance norm"
    if not is_trained(norm):
        what = (
            f"{kind} with fresh running statistics normalises nothing: probing runs in eval mode "
            "and never updates them, and clients whose data differ would disagree on them."
        )
        return Finding("warning", name, what, TO_GROUP_NORM)
    what = f"{kind} keeps its trained running statistics as constants; probing never updates them."
    if norm.training:
        do = "Call eval() if that is meant; else r" + TO_GROUP_NORM[1:]
        return Finding("warning", name, what, do)
    return Finding("note", name, what, "Nothing, while the data resemble those it was trained on.")


def is_trained(norm: _NormBase) -> bool:
    """Whether running statistics are other than those of a new layer.

    Example:
        >>> is_trained(nn.BatchNorm2d(3))
        False
    """
    mean, var = norm.running_mean, norm.running_var
    if mean is None or var is None or mean.is_meta:
        return False
    return bool(mean.any()) or bool((var != 1).any())


def dropout(subject: Subject) -> Iterator[Finding]:
    """Dropout that is off while probing, or cannot be turned off.

    Example:
        >>> [f.severity for f in dropout(Subject(nn.Dropout(0.1)))]
        ['note']
    """
    for name, part in subject.parts(_DropoutNd, nn.RNNBase, nn.MultiheadAttention):
        rate = part.p if isinstance(part, _DropoutNd) else part.dropout
        if rate:
            yield Finding(
                "note",
                name,
                "Dropout is off while probing, which runs in eval mode.",
                "Nothing; regularise by weight decay if need be.",
            )
    for call in subject.calls.seen:
        if call.function == "dropout" and call.training:
            yield Finding(
                "error",
                place(call.where),
                "Its forward calls dropout that stays on in eval mode: each evaluation draws "
                "another mask, and loss differences are noise.",
                "Pass training=self.training, or use the module nn.Dropout.",
            )


def activations(subject: Subject) -> Iterator[Finding]:
    """ReLU and its relatives, as layers, attributes and calls.

    Example:
        >>> [(f.severity, f.where) for f in activations(Subject(nn.Sequential(nn.ReLU())))]
        [('warning', '0')]
    """
    for where, function in _activations(subject):
        if function in RELU_LAYERS.values():
            yield _relu(place(where), function)


def _activations(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield (where, function) of all that is kept or called, activations among them."""
    for name, part in subject.module.named_modules():
        for kind, function in RELU_LAYERS.items():
            if isinstance(part, kind):
                yield name, function
        yield from ((name, function) for _, function in kept_functions(part, FUNCTIONS))
        if isinstance(part, nn.RNN) and part.nonlinearity == "relu":
            yield name, "relu"
    yield from ((call.where, call.function) for call in subject.calls.seen)


def _relu(where: str, function: str) -> Finding:
    severity: Severity = "warning" if function == "relu" else "note"
    return Finding(
        severity,
        where,
        f"Its activation is {function}; the paper of this method advises Hardswish.",
        "Use Hardswish (Feng et al. 2024); `baffle convert` puts it for ReLU and ReLU6.",
    )


def slower(subject: Subject) -> Iterator[Finding]:
    """Layers whose weights the batched pass cannot move.

    Example:
        >>> [f.where for f in slower(Subject(nn.Sequential(nn.Embedding(3, 2, max_norm=1.0))))]
        ['0']
    """
    for row in SLOWER:
        for name, part in subject.parts(*row.kinds):
            if row.applies(part) and any(p.requires_grad for p in part.parameters()):
                yield Finding(
                    "note",
                    name,
                    f"Probing takes a slower way through {type(part).__name__}: {row.way}.",
                    row.mend,
                )


def parametrized(subject: Subject) -> Iterator[Finding]:
    """Weights that are computed from others before each use.

    Example:
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        >>> [f.what for f in parametrized(Subject(layer))]
        ['weight is computed from trained originals at each use; probes move the originals.']
    """
    for name, part in subject.module.named_modules():
        for tensor in _computed(part):
            yield Finding(
                "note",
                place(name),
                f"{tensor} is computed from trained originals at each use; probes move the "
                "originals.",
                "Nothing; statistics that the computation keeps stand still in eval mode.",
            )


def _computed(part: nn.Module) -> Iterator[str]:
    if parametrize.is_parametrized(part):
        assert isinstance(part.parametrizations, nn.ModuleDict)
        yield from part.parametrizations
    for hook in part._forward_pre_hooks.values():  # weight_norm and spectral_norm of old
        if hasattr(hook, "name") and f"{hook.name}_{_OLD.get(type(hook).__name__)}" in dir(part):
            yield hook.name


_OLD = {"WeightNorm": "g", "SpectralNorm": "orig"}


def compiled(subject: Subject) -> Iterator[Finding]:
    """Parts whose inside is hidden.

    Example:
        >>> list(compiled(Subject(nn.Linear(2, 2))))
        []
    """
    inside: set[nn.Module] = set()
    for name, part in subject.module.named_modules():
        if not is_scripted(part) or part in inside:
            continue
        inside.update(part.modules())
        yield Finding(
            "warning",
            place(name),
            "It is TorchScript: neither the checks nor the batched pass see inside.",
            "Give the Python module that it was made from.",
        )
