"""The two forms in which a set of directions for one tensor is held: dense, or rank-one factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions.exact import Integers, limbs, to_int64


class Factors(Protocol):
    """n directions for one tensor, as integers in units of 2^unit_exponent of their kind."""

    @property
    def count(self) -> int:
        """Number of directions n."""
        ...

    def dense(self) -> NDArray[np.signedinteger]:
        """Return every entry; shape [n, *tensor shape]. Costs n times the tensor's memory."""
        ...

    def weighted_sum(self, coefficients: Integers) -> Integers:
        """Return sum_k coefficients[k] · z_k exactly; int64 of the tensor's shape."""
        ...


@dataclass(frozen=True)
class Dense:
    """Directions with every entry held; `values` is int8 or int16 [n, *shape]."""

    values: NDArray[np.signedinteger]
    peak: int

    @property
    def count(self) -> int:
        """Number of directions n."""
        return len(self.values)

    def dense(self) -> NDArray[np.signedinteger]:
        """Return every entry; shape [n, *shape]."""
        return self.values

    def weighted_sum(self, coefficients: Integers) -> Integers:
        """Return sum_k coefficients[k] · z_k exactly; one vector-matrix product a limb."""
        shape = self.values.shape[1:]
        flat = self.values.reshape(self.count, -1)
        total = np.zeros(flat.shape[1], dtype=np.int64)
        for shift, limb in limbs(coefficients, self.peak):
            total += shift * to_int64(limb @ flat.astype(limb.dtype))
        return total.reshape(shape)


@dataclass(frozen=True)
class RankOne:
    """Directions out ⊗ inner ⊗ kernel, each factor int8 ±1; [n, O], [n, I], [n, L].

    `shape` is the tensor's own, (O, I, *kernel) with L the product of the kernel's sides.
    """

    out: NDArray[np.int8]
    inner: NDArray[np.int8]
    kernel: NDArray[np.int8]
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of directions n."""
        return len(self.out)

    def right(self) -> NDArray[np.int8]:
        """Return inner ⊗ kernel, flattened; [n, I·L]."""
        if self.kernel.shape[1] == 1:
            return self.inner * self.kernel
        return (self.inner[:, :, None] * self.kernel[:, None, :]).reshape(self.count, -1)

    def dense(self) -> NDArray[np.signedinteger]:
        """Return every entry; shape [n, *shape]."""
        return (self.out[:, :, None] * self.right()[:, None, :]).reshape(self.count, *self.shape)

    def weighted_sum(self, coefficients: Integers) -> Integers:
        """Return sum_k coefficients[k] · out_k ⊗ inner_k ⊗ kernel_k: a matrix product a limb."""
        right = self.right()
        total = np.zeros((self.out.shape[1], right.shape[1]), dtype=np.int64)
        for shift, limb in limbs(coefficients, 1):
            left = self.out.T.astype(limb.dtype) * limb
            total += shift * to_int64(left @ right.astype(limb.dtype))
        return total.reshape(self.shape)
