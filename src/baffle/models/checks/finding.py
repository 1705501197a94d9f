"""What a check looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from torch import Tensor, nn
from torch.nn import parameter

from baffle.models.checks.calls import Calls, calls_in_run, calls_in_trace
from baffle.models.checks.trial import Trial, try_out

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

WHOLE = "the model"
PARAMETERS = "all parameters"

Part = TypeVar("Part", bound=nn.Module)


@dataclass(frozen=True)
class Finding:
    """One thing to know about a model.

    Args:
        severity: "error": it cannot be trained as it stands; "warning": it can, with a known harm;
            "note": what will happen, should it come as a surprise.
        where: dotted name of the module or parameter; WHOLE for the model itself.
        what: one sentence.
        do: one sentence.

    Example:
        >>> Finding("note", "drop", "Dropout is off while probing.", "Nothing.").severity
        'note'
    """

    severity: Severity
    where: str
    what: str
    do: str


@dataclass(frozen=True, eq=False)
class Subject:
    """A module under inspection, with what more than one check needs, found once.

    Args:
        module: any module; it is left as it was.
        example: inputs to run it on: a tensor, a tuple of positional or a dict of named arguments,
            examples on axis 0; None to read its forward instead.
        directions: K, for the figures.

    Example:
        >>> sorted(Subject(nn.Linear(3, 2)).trained)
        ['bias', 'weight']
    """

    module: nn.Module
    example: Any = None
    directions: int = 512

    def parts(self, *kinds: type[Part]) -> Iterator[tuple[str, Part]]:
        """Yield (name, module) of every part of these kinds, shared ones once."""
        return ((place(n), m) for n, m in self.module.named_modules() if isinstance(m, kinds))

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer once, by its first name."""
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    @cached_property
    def parameters(self) -> dict[str, Tensor]:
        """Every parameter that has a shape and entries."""
        named = self.module.named_parameters()
        return {n: p for n, p in named if not is_lazy(p) and p.numel()}

    @cached_property
    def trained(self) -> dict[str, Tensor]:
        """The parameters that probes would move."""
        return {n: p for n, p in self.parameters.items() if p.requires_grad}

    @cached_property
    def dimension(self) -> int:
        """Number of trained entries, d."""
        return sum(p.numel() for p in self.trained.values())

    @cached_property
    def complete(self) -> bool:
        """Whether every tensor has a shape and values, so that the module can be run."""
        return not any(is_lazy(t) or t.is_meta for t in self.tensors.values())

    @cached_property
    def calls(self) -> Calls:
        """The functions that forward calls: seen in a run on the example, else read."""
        if not self.complete:
            return Calls(())
        run = None if self.example is None else calls_in_run(self.module, self.example)
        return run or calls_in_trace(self.module)

    @cached_property
    def trial(self) -> Trial:
        """What evaluating the example showed; nothing if there is none."""
        if self.example is None or not self.complete:
            return Trial()
        return try_out(self.module, self.example)


Check = Callable[[Subject], Iterator[Finding]]


def place(name: str) -> str:
    """A module's dotted name, and what the model itself is called.

    Example:
        >>> place(""), place("stage1.conv")
        ('the model', 'stage1.conv')
    """
    return name or WHOLE


def is_lazy(tensor: Tensor) -> bool:
    """Whether a tensor waits for the first forward pass to get its shape.

    Example:
        >>> is_lazy(nn.LazyLinear(2).weight)
        True
    """
    return bool(parameter.is_lazy(tensor))
