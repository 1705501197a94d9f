"""A model and a loss as functions of one vector of weights: losses, gradients, derivatives.

The model is a copy, in eval mode as for `baffle`, whose parameters are views of one buffer: to
evaluate somewhere is to fill the buffer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.baselines.base import Batch
from baffle.baselines.dense import DenseLosses
from baffle.errors import ModelError
from baffle.models.checkpointing import Checkpointed

Call = Callable[[nn.Module, Any], Any]


def plain_call(module: nn.Module, inputs: Any) -> Any:
    """Return a module's output for inputs that are one tensor."""
    return module(inputs)


class Problem:
    """F(θ; batch) for θ of d float32.

    Args:
        module: any; its trained parameters make θ, in `named_parameters` order.
        loss: (output, target) to the batch's mean loss.
        call: module and inputs to output.

    Raises:
        ModelError: nothing to train, or parameters that are not float32.

    Example:
        >>> problem = Problem(nn.Linear(3, 2), nn.functional.cross_entropy)
        >>> problem.dimension
        8
    """

    def __init__(
        self, module: nn.Module, loss: Callable[[Any, Any], Tensor], call: Call = plain_call
    ) -> None:
        self.module, self.loss, self._call = copy.deepcopy(module).eval(), loss, call
        named = self.module.named_parameters()
        self.parameters = {n: p for n, p in named if p.requires_grad and p.numel()}
        wrong = [n for n, p in self.parameters.items() if p.dtype != torch.float32]
        if wrong or not self.parameters:
            raise ModelError(
                "a baseline trains float32 parameters: expected at least one and no other, got "
                f"{len(self.parameters)} trained, of them not float32: {wrong[:4]}"
            )
        self.dimension = sum(p.numel() for p in self.parameters.values())
        with torch.no_grad():
            self._buffer = torch.cat([p.reshape(-1) for p in self.parameters.values()])
        for name, view in self.split(self._buffer).items():
            self.parameters[name].data = view
        self._dense = DenseLosses(self.module, self._buffer, self._forward, self._functional)
        self._called = _Called(self.module, call)
        self._checkpointed = Checkpointed(self.module)

    @property
    def pieces(self) -> int:
        """Pieces of the model that checkpointing computes twice; 0 if that would keep no less."""
        return len(self._checkpointed.pieces)

    def split(self, vector: Tensor) -> dict[str, Tensor]:
        """Return views of θ in the parameters' shapes, by name."""
        parts = vector.split([p.numel() for p in self.parameters.values()])
        return {
            name: part.view(p.shape)
            for part, (name, p) in zip(parts, self.parameters.items(), strict=True)
        }

    def joined(self, weights: Mapping[str, Any]) -> Tensor:
        """Return weights by name as θ, a copy."""
        return torch.cat([torch.tensor(weights[n]).reshape(-1) for n in self.parameters])

    def size(self, batch: Batch) -> int:
        """Return the examples of a batch."""
        return int(pytree.tree_leaves(batch[0])[0].shape[0])

    def gradient(
        self, weights: Tensor, batch: Batch, checkpointed: bool = False
    ) -> tuple[float, Tensor]:
        """Return F and ∇F at θ, by backpropagation.

        Args:
            weights: θ, float32 [d].
            batch: inputs and targets.
            checkpointed: compute inner activations twice instead of keeping them.
        """
        self._buffer.copy_(weights)
        parameters = list(self.parameters.values())
        with torch.enable_grad():
            loss = self._forward_checkpointed(batch) if checkpointed else self._forward(batch)
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
        flat = _filled(found, parameters)
        return float(loss.detach()), torch.cat([g.reshape(-1) for g in flat])

    def loss_at(self, weights: Tensor, batch: Batch) -> float:
        """Return F at θ."""
        self._buffer.copy_(weights)
        with torch.no_grad():
            return float(self._forward(batch))

    def losses(self, weights: Tensor, moves: Tensor, batch: Batch, scale: float) -> Tensor:
        """Return F(θ + scale·v_p) for each row v_p; float64 [P]. One forward pass a row."""
        return self._dense(weights, moves, batch, scale)

    def derivatives(self, weights: Tensor, moves: Tensor, batch: Batch) -> tuple[float, Tensor]:
        """Return F and ∇F·v_p for each row v_p, float32 [P], by forward-mode autodiff."""

        def value(at: Tensor) -> Tensor:
            return self._functional(at, batch)

        def along(move: Tensor) -> tuple[Tensor, Tensor]:
            loss, derivative = torch.func.jvp(value, (weights,), (move,))[:2]
            return loss, derivative

        with torch.no_grad():
            parts = [torch.func.vmap(along)(part) for part in moves.split(self._dense.chunk)]
        losses, found = (torch.cat(each) for each in zip(*parts, strict=True))
        return float(losses[0]), found

    def _forward(self, batch: Batch) -> Tensor:
        return self.loss(self._call(self.module, batch[0]), batch[1])

    def _forward_checkpointed(self, batch: Batch) -> Tensor:
        with self._checkpointed.on():
            return self._forward(batch)

    def _functional(self, weights: Tensor, batch: Batch) -> Tensor:
        """Return F as a function of θ that torch.func can map and differentiate."""
        named = {f"module.{name}": view for name, view in self.split(weights).items()}
        output = torch.func.functional_call(self._called, named, (batch[0],))
        return self.loss(output, batch[1])


class _Called(nn.Module):
    """A module that takes its inputs as data sets give them."""

    def __init__(self, module: nn.Module, call: Call) -> None:
        super().__init__()
        self.module, self._call = module, call

    def forward(self, inputs: Any) -> Any:
        return self._call(self.module, inputs)


def _filled(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
    """Return gradients with zeros where the loss does not depend on a parameter."""
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, like, strict=True)]
