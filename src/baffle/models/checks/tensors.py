"""Checks of a model's tensors: what is trained, in which form, and how much of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch

from baffle.directions.coordinates import MAX_TENSOR
from baffle.models.checks.finding import PARAMETERS, Finding, Severity, Subject, is_lazy

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
LARGE = 2**30
"""Bytes of training state above which a model is called large."""

POOR = 0.01
"""Expected cosine below which training by probes is warned of."""

STATE_BYTES = 16
"""A trained number's weight, Adam's two moments and the running average, float32 each."""


def uninitialised(subject: Subject) -> Iterator[Finding]:
    """Tensors without shape or without values.

    Example:
        >>> from torch import nn
        >>> [f.where for f in uninitialised(Subject(nn.LazyLinear(2)))]
        ['weight', 'bias']
    """
    for name, tensor in subject.tensors.items():
        if is_lazy(tensor):
            yield Finding(
                "error",
                name,
                "It has no shape before the first forward pass, and all parties must agree on it.",
                "Run the model once on an input of the right shape, or give the sizes.",
            )
        elif tensor.is_meta:
            yield Finding(
                "error",
                name,
                "It is on the meta device and has no values.",
                "Load the weights first.",
            )


def trainable(subject: Subject) -> Iterator[Finding]:
    """Nothing to train.

    Example:
        >>> from torch import nn
        >>> [f.severity for f in trainable(Subject(nn.ReLU()))]
        ['error']
    """
    named = dict(subject.module.named_parameters())
    if subject.trained or any(is_lazy(p) and p.requires_grad for p in named.values()):
        return
    why = "all parameters are frozen" if subject.parameters else "it has no parameters"
    yield Finding(
        "error",
        PARAMETERS,
        f"Nothing can be trained: {why}.",
        "Set requires_grad on what is to be trained; no gradient is ever computed.",
    )


def frozen(subject: Subject) -> Iterator[Finding]:
    """Parameters that stay as they are.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 2).requires_grad_(False), nn.Linear(2, 2))
        >>> [f.what for f in frozen(Subject(model))]
        ['8 of 14 parameter entries are frozen: 0.weight, 0.bias.']
    """
    kept = {n: p for n, p in subject.parameters.items() if not p.requires_grad}
    if not kept or not subject.trained:
        return
    entries = sum(p.numel() for p in kept.values())
    total = entries + subject.dimension
    yield Finding(
        "note",
        "frozen parameters",
        f"{entries:,} of {total:,} parameter entries are frozen: {some(kept)}.",
        "Nothing, if that is meant: fewer trained entries make better estimates; every client "
        "needs the same frozen values.",
    )


def kinds(subject: Subject) -> Iterator[Finding]:
    """Trained tensors that probes cannot move.

    Example:
        >>> from torch import nn
        >>> [f.what for f in kinds(Subject(nn.Linear(3, 2, dtype=torch.complex64)))][0]
        'It is trained and complex64, and only dense real floating tensors can be.'
    """
    for name, tensor in subject.trained.items():
        dense = tensor.layout == torch.strided
        if tensor.dtype not in DTYPES or not dense:
            form = short(tensor.dtype) if dense else str(tensor.layout).removeprefix("torch.")
            yield Finding(
                "error",
                name,
                f"It is trained and {form}, and only dense real floating tensors can be.",
                "Freeze it with requires_grad_(False), or store it as float32.",
            )


def precision(subject: Subject) -> Iterator[Finding]:
    """Trained tensors that are floating but not float32.

    Example:
        >>> from torch import nn
        >>> len(list(precision(Subject(nn.Linear(3, 2, dtype=torch.bfloat16)))))
        2
    """
    for name, tensor in subject.trained.items():
        if tensor.dtype in DTYPES and tensor.dtype != torch.float32:
            coarse = tensor.dtype != torch.float64
            yield Finding(
                "note",
                name,
                f"It is {short(tensor.dtype)}; the training state is float32, and is rounded to "
                "it for each evaluation.",
                "Leave the radius to be measured: a small one vanishes in the rounding."
                if coarse
                else "Nothing; float32 halves the memory.",
            )


def values(subject: Subject) -> Iterator[Finding]:
    """Parameters with an infinite value or none.

    Example:
        >>> from torch import nn
        >>> layer = nn.Linear(3, 2, bias=False)
        >>> _ = layer.weight.data.fill_(math.nan)
        >>> [f.where for f in values(Subject(layer))]
        ['weight']
    """
    for name, tensor in subject.parameters.items():
        readable = not tensor.is_meta and tensor.layout == torch.strided
        if readable and not bool(tensor.detach().isfinite().all()):
            yield Finding(
                "error",
                name,
                "It holds infinite or undefined values, so that no loss difference is a number.",
                "Initialise it again, or load other weights.",
            )


def tied(subject: Subject) -> Iterator[Finding]:
    """One parameter under several names.

    Example:
        >>> from torch import nn
        >>> layer = nn.Linear(2, 2)
        >>> [f.where for f in tied(Subject(nn.Sequential(layer, nn.ReLU(), layer)))]
        ['0.weight', '0.bias']
    """
    names: dict[int, list[str]] = defaultdict(list)
    for name, parameter in subject.module.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(name)
    for first, *others in names.values():
        if others:
            yield Finding(
                "note",
                first,
                f"It also stands as {some(others)}, and is one tensor under its first name.",
                "Nothing; each direction moves it once, in all its places.",
            )


def memory(subject: Subject) -> Iterator[Finding]:
    """Two trained parameters on one piece of memory.

    Example:
        >>> from torch import nn
        >>> model = nn.ModuleList([nn.Linear(2, 2, bias=False) for _ in range(2)])
        >>> model[1].weight = nn.Parameter(model[0].weight.data)
        >>> [f.where for f in memory(Subject(model))]
        ['1.weight']
    """
    owner: dict[int, str] = {}
    for name, tensor in subject.trained.items():
        if tensor.is_meta or tensor.layout != torch.strided:
            continue
        first = owner.setdefault(tensor.data_ptr(), name)
        if first != name:
            yield Finding(
                "error",
                name,
                f"It lies on the memory of {first} but is another Parameter, so that writing one "
                "changes the other.",
                "Tie them by assigning the same Parameter to both.",
            )


def size(subject: Subject) -> Iterator[Finding]:
    """How good an estimate of so many entries will be.

    Example:
        >>> from torch import nn
        >>> [f.what for f in size(Subject(nn.Linear(1535, 1), directions=512))]
        ['1,536 entries are trained: K = 512 directions give an expected cosine of 0.5 with the \
gradient, √(K/(K + d)).']
    """
    d, K = subject.dimension, subject.directions
    if not d or any(is_lazy(t) for t in subject.tensors.values()):
        return
    cosine = math.sqrt(K / (K + d))
    severity: Severity = "warning" if cosine < POOR else "note"
    yield Finding(
        severity,
        PARAMETERS,
        f"{d:,} entries are trained: K = {K:,} directions give an expected cosine of {cosine:.2g} "
        "with the gradient, √(K/(K + d)).",
        "Nothing; more directions make it better."
        if cosine >= 10 * POOR
        else "Take more directions or a smaller model, or freeze all but a part of it.",
    )


def footprint(subject: Subject) -> Iterator[Finding]:
    """Models that need much memory or too many tensors.

    Example:
        >>> from torch import nn
        >>> list(footprint(Subject(nn.Linear(3, 2))))
        []
    """
    state = STATE_BYTES * subject.dimension
    if state >= LARGE:
        yield Finding(
            "warning",
            PARAMETERS,
            f"Its training state takes {gib(state)} on every machine that replays the run: "
            f"{STATE_BYTES} bytes a trained entry, for weights, two moments and the average.",
            "Freeze a part of it, choose a smaller model, or an algorithm without moments.",
        )
    if len(subject.tensors) > MAX_TENSOR + 1:
        yield Finding(
            "error",
            PARAMETERS,
            f"It has {len(subject.tensors):,} tensors, and a run has numbers for "
            f"{MAX_TENSOR + 1:,} at most.",
            "Join tensors of the same role into one.",
        )


def some(names: Iterable[str], most: int = 4) -> str:
    """Names for a sentence, the first few of many.

    Example:
        >>> some("abcdef")
        'a, b, c, d and 2 more'
    """
    listed = list(names)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest


def short(dtype: torch.dtype) -> str:
    """A dtype's name.

    Example:
        >>> short(torch.float16)
        'float16'
    """
    return str(dtype).removeprefix("torch.")


def gib(count: int) -> str:
    """Bytes in GiB.

    Example:
        >>> gib(3 * 2**29)
        '1.5 GiB'
    """
    return f"{count / 2**30:.1f} GiB"
