"""A tensor that differs between the points of a pass: theta, and what is added to it at each.

Two forms. A factored one, scale_p · out_p ⊗ inner_p ⊗ kernel_p, is never multiplied out. A dense
one holds the P sums; vectors are dense, and so is whatever the module computes from parameters.
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
    """scale_p · out_p ⊗ inner_p ⊗ kernel_p; `out` [P, O] holds the scale, [P, I], [P, L]."""

    out: Tensor
    inner: Tensor
    kernel: Tensor

    @cached_property
    def right(self) -> Tensor:
        """inner ⊗ kernel, [P, I, L]."""
        return self.inner.unsqueeze(2) * self.kernel.unsqueeze(1)

    def part(self, start: int, stop: int) -> Low:
        """Return points start to stop."""
        return Low(self.out[start:stop], self.inner[start:stop], self.kernel[start:stop])


@dataclass(frozen=True, eq=False)
class Moved:
    """A tensor at P points: `base` plus `low`, or `dense` [P, *shape]; one of the two is None."""

    base: Tensor
    low: Low | None = None
    dense: Tensor | None = None

    @cached_property
    def values(self) -> Tensor:
        """The tensor at every point, [P, *shape]; costs P times its memory."""
        if self.dense is not None:
            return self.dense
        assert self.low is not None
        delta = self.low.out.unsqueeze(2) * self.low.right.flatten(1).unsqueeze(1)
        return delta.view(-1, *self.base.shape) + self.base

    def part(self, start: int, stop: int) -> Moved:
        """Return points start to stop."""
        low = self.low.part(start, stop) if self.low else None
        dense = self.dense[start:stop] if self.dense is not None else None
        return Moved(self.base, low, dense)

    @property
    def T(self) -> Moved:
        """The transposed matrix, with its factors in the other order."""
        if self.low is None:
            return Moved(self.base.t(), None, self.values.transpose(1, 2))
        return Moved(self.base.t(), Low(self.low.inner, self.low.out, self.low.kernel))


def moved(parameter: Tensor, factors: Factors, scale: NDArray[np.float32]) -> Moved:
    """Return a parameter at the points of these factors, in the factors' own form."""
    base = parameter.detach()
    if not isinstance(factors, RankOne):
        delta = scaled(factors.dense(), scale, base)
        return Moved(base, dense=delta.add_(base).to(base.dtype))
    out = scaled(factors.out, scale, base)
    inner, kernel = (
        torch.from_numpy(np.ascontiguousarray(z)).to(out) for z in (factors.inner, factors.kernel)
    )
    if kernel.shape[1] == 1:  # a matrix: its one kernel entry is a sign, which `out` takes
        out, kernel = out.mul_(kernel), torch.ones_like(kernel)
    low = Low(out.to(base.dtype), inner.to(base.dtype), kernel.to(base.dtype))
    return Moved(base, low=low)


def part_of(tracked: Mapping[int, Moved], start: int, stop: int) -> dict[int, Moved]:
    """Return points start to stop of every tracked tensor."""
    return {key: value.part(start, stop) for key, value in tracked.items()}
