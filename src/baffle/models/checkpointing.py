"""Modules whose inner activations are computed twice instead of kept.

torch's own `checkpoint` does the same, but imports the compiler at its first call, and a first
autograd.Function imports symbolic mathematics: some 80 and 34 MiB, more than the activations of
many a small model. Hooks on saved tensors do without either, so that training is not charged for
what it need not load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves, tree_map_only

from baffle.errors import ModelError
from baffle.models.segments import Piece, pieces_of

Forward = Callable[..., Any]


class Checkpointed:
    """Turns checkpointing of a module on and off; its numbers stay the same bits.

    Args:
        module: gets other forward functions while checkpointing is on. Its forward pass must give
            the same each time, as in eval mode.

    Attributes:
        pieces: what is computed twice, none where that would keep no less; see `pieces_of`.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, section 4.

    Example:
        >>> layers = [nn.Linear(2, 2) for _ in range(9)]
        >>> len(Checkpointed(nn.Sequential(*layers)).pieces)
        3
    """

    def __init__(self, module: nn.Module) -> None:
        self.pieces = pieces_of(module)
        self._forwards = dict(_forwards(self.pieces))

    @contextmanager
    def on(self) -> Iterator[None]:
        """Checkpoint forward passes inside the block; backward passes may come after it."""
        own = {m: m.__dict__["forward"] for m in self._forwards if "forward" in m.__dict__}
        for module, forward in self._forwards.items():
            module.forward = forward  # type: ignore[method-assign]
        try:
            yield
        finally:
            for module in self._forwards:
                del module.forward  # the class's own is there again
                if module in own:
                    module.forward = own[module]  # type: ignore[method-assign]


def _forwards(pieces: list[Piece]) -> Iterator[tuple[nn.Module, Forward]]:
    segments: dict[nn.Module, list[Forward]] = {}
    for piece in pieces:
        if piece.layers:
            run = nn.Sequential(*piece.layers)
            segments.setdefault(piece.module, []).append(Twice(run))
        else:
            yield piece.module, Twice(piece.module.forward)
    for module, found in segments.items():
        yield module, _Chain(found)


class _Chain:
    """Forward functions one after the other."""

    def __init__(self, forwards: list[Forward]) -> None:
        self.forwards = forwards

    def __call__(self, inputs: Any) -> Any:
        for forward in self.forwards:
            inputs = forward(inputs)
        return inputs


class Twice:
    """A function whose inner tensors are computed again when a backward pass needs them.

    What it is given is kept; as a copy where it changes that in place, which its first call shows.

    Args:
        forward: takes tensors anywhere in its arguments.

    Example:
        >>> x = torch.tensor([0.5], requires_grad=True)
        >>> Twice(lambda y: y.exp().exp())(x).backward()
        >>> bool(torch.isclose(x.grad, x.exp() * x.exp().exp()))
        True
    """

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self._changes: bool | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the function's result.

        Raises:
            ModelError: in the backward pass, if the second call cannot be like the first.
        """
        if not torch.is_grad_enabled():
            return self.forward(*args, **kwargs)
        given = (args, kwargs)
        again = _Again(self.forward, given, copied=self._changes is not False)
        before = _versions(given)
        with saved_tensors_hooks(again.pack, again.unpack):
            output = self.forward(*args, **kwargs)
        if self._changes is None:
            self._changes = _versions(given) != before
            if not self._changes:
                again.keep(given, copied=False)
        return output


class _Again:
    """Numbers the tensors that a call saves, and finds them by a second call."""

    def __init__(self, forward: Forward, given: Any, copied: bool) -> None:
        self.forward = forward
        self.shapes: list[torch.Size] = []
        self.found: dict[int, tuple[Tensor, int]] = {}
        self.keep(given, copied)

    def keep(self, given: Any, copied: bool) -> None:
        """Keep arguments without their history, which would hold what is not to be kept."""
        self.copied = copied
        self.wanted = [t.requires_grad for t in tree_leaves(given) if isinstance(t, Tensor)]
        self.given = tree_map_only(
            Tensor, lambda t: t.detach().clone() if copied else t.detach(), given
        )
        self.versions = _versions(self.given)

    def pack(self, tensor: Tensor) -> int:
        """Keep a number in a tensor's place."""
        self.shapes.append(tensor.shape)
        return len(self.shapes) - 1

    def unpack(self, number: int) -> Tensor:
        """Return the tensor that has this number in a second call, and hold it no longer."""
        if number not in self.found:
            self._call()
        tensor, version = self.found.pop(number)
        _require(tensor._version == version, "changes a tensor that its backward pass needs")
        return tensor

    def _call(self) -> None:
        _require(_versions(self.given) == self.versions, "was given what is changed in place later")
        wanted = iter(self.wanted)
        saved: list[tuple[Tensor, int]] = []

        def find(tensor: Tensor) -> None:
            saved.append((tensor.detach(), tensor._version))

        with torch.enable_grad():
            args, kwargs = tree_map_only(Tensor, lambda t: self._apart(t, next(wanted)), self.given)
            with saved_tensors_hooks(find, _never):
                self.forward(*args, **kwargs)
        shapes = [tensor.shape for tensor, _ in saved]
        _require(shapes == self.shapes, "does something else when it is called again")
        self.found = dict(enumerate(saved))

    def _apart(self, tensor: Tensor, wanted: bool) -> Tensor:
        leaf = tensor.detach().requires_grad_(wanted)
        return leaf.clone() if self.copied else leaf  # a leaf may not be changed in place


def _versions(given: Any) -> list[int]:
    """Return how often each tensor has been changed in place."""
    return [t._version for t in tree_leaves(given) if isinstance(t, Tensor)]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ModelError(
            f"expected a model whose parts can be computed twice, got one of which a part {what}: "
            "train it without checkpointing"
        )


def _never(nothing: None) -> Tensor:
    raise AssertionError("nobody goes back through the second call")
