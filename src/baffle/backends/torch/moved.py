"""A tensor that differs between the points of a pass: theta, and what is added to it at each.

What is added has one of two forms. A factored one, scale_p · out_p ⊗ inner_p ⊗ kernel_p, is never
multiplied out. A dense one holds every entry: vectors, and what a module computes from parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.backends.torch.materialise import scaled
from baffle.directions.factors import Factors, RankOne


@dataclass(frozen=True, eq=False)
class Low:
    """scale_p · out_p ⊗ inner_p ⊗ kernel_p: `out` [P, O] holds the scale, [P, I], [P, L].

    A matrix's kernel is one entry of one.
    """

    out: Tensor
    inner: Tensor
    kernel: Tensor

    def __len__(self) -> int:
        return len(self.out)

    @cached_property
    def right(self) -> Tensor:
        """inner ⊗ kernel, [P, I, L]."""
        return self.inner.unsqueeze(2) * self.kernel.unsqueeze(1)

    def right_at(self, point: int) -> Tensor:
        """inner ⊗ kernel of one point, [I·L]."""
        if self.kernel.shape[1] == 1:
            return self.inner[point] * self.kernel[point]
        return torch.outer(self.inner[point], self.kernel[point]).flatten()

    def parts(self, size: int) -> list[Low]:
        """Return the points in parts of `size`, the last one smaller if it must be."""
        split = (self.out.split(size), self.inner.split(size), self.kernel.split(size))
        return [Low(*factors) for factors in zip(*split, strict=True)]


Delta = Low | Tensor  # a tensor is dense, [P, *shape]


@dataclass(frozen=True, eq=False)
class Moved:
    """A tensor at P points: `base` plus `delta`."""

    base: Tensor
    delta: Delta

    @property
    def low(self) -> Low | None:
        """The factors, if it has them."""
        return self.delta if isinstance(self.delta, Low) else None

    @cached_property
    def values(self) -> Tensor:
        """The tensor at every point, [P, *shape]; costs P times its memory."""
        if isinstance(self.delta, Tensor):
            return (self.delta + self.base).to(self.base.dtype)
        product = self.delta.out.unsqueeze(2) * self.delta.right.flatten(1).unsqueeze(1)
        return product.view(-1, *self.base.shape) + self.base

    def at(self, point: int) -> Tensor:
        """Return the tensor at one point; costs its memory."""
        if isinstance(self.delta, Tensor):
            return (self.delta[point] + self.base).to(self.base.dtype)
        out, right = self.delta.out[point], self.delta.right_at(point)
        base = self.base.reshape(len(out), -1)
        return torch.addcmul(base, out.unsqueeze(1), right.unsqueeze(0)).view(self.base.shape)

    @property
    def transposed(self) -> Moved:
        """The transposed matrix, with its factors in the other order."""
        if isinstance(self.delta, Tensor):
            return Moved(self.base.t(), self.delta.transpose(1, 2))
        return Moved(self.base.t(), Low(self.delta.inner, self.delta.out, self.delta.kernel))


def delta_of(factors: Factors, scale: NDArray[np.float32], like: Tensor) -> Delta:
    """Return what is added to a parameter at the points, in the factors' own form."""
    if not isinstance(factors, RankOne):
        return scaled(factors.dense(), scale, like)
    out = scaled(factors.out, scale, like)
    inner, kernel = (
        torch.from_numpy(np.ascontiguousarray(z)).to(out) for z in (factors.inner, factors.kernel)
    )
    return Low(out.to(like.dtype), inner.to(like.dtype), kernel.to(like.dtype))


def parts_of(deltas: Mapping[int, Delta], size: int) -> list[dict[int, Delta]]:
    """Return the deltas of all tensors in parts of `size` points."""
    if all(len(d) <= size for d in deltas.values()):
        return [dict(deltas)]
    split = {k: d.parts(size) if isinstance(d, Low) else d.split(size) for k, d in deltas.items()}
    return [dict(zip(split, part, strict=True)) for part in zip(*split.values(), strict=True)]
