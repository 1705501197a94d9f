"""Updates on torch: the same bits as NumPy, on any device with IEEE float32 and float64."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.directions.exact import limbs
from baffle.directions.factors import Dense, Factors, RankOne


class TorchOps:
    """Torch tensors on one device.

    Args:
        device: where states live. Matrix products of integers run there in float32 or float64 by
            the same proved bound as on NumPy; TF32 would break it and is refused.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)

    def asarray(self, values: NDArray[np.float32]) -> Tensor:
        """Return a float32 copy on the device."""
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self.device)

    def zeros_like(self, array: Tensor) -> Tensor:
        """Return zeros of the same shape."""
        return torch.zeros_like(array)

    def sqrt(self, array: Tensor) -> Tensor:
        """Return the correctly rounded square root.

        torch.sqrt on float32 is not (on a CPU it calls a vector library that is off by an ulp now
        and then). Taken in float64 and rounded it is, even if float64's last bit is wrong: no
        float32's root lies closer than 2^-50 to the middle between two float32s.
        """
        return torch.sqrt(array.to(torch.float64)).to(torch.float32)

    def weighted_sum(self, factors: Factors, coefficients: NDArray[np.int64]) -> Tensor:
        """Return sum_k coefficients[k] · z_k as exact int64."""
        if isinstance(factors, RankOne):
            return self._rank_one(factors, coefficients)
        assert isinstance(factors, Dense)
        flat = (
            torch.from_numpy(np.ascontiguousarray(factors.values))
            .to(self.device)
            .reshape(factors.count, -1)
        )
        total = torch.zeros(flat.shape[1], dtype=torch.int64, device=self.device)
        for shift, limb in limbs(coefficients, factors.peak):
            part = torch.from_numpy(limb).to(self.device)
            total += shift * (part @ flat.to(part.dtype)).to(torch.int64)
        return total.reshape(factors.values.shape[1:])

    def _rank_one(self, factors: RankOne, coefficients: NDArray[np.int64]) -> Tensor:
        left = torch.from_numpy(np.ascontiguousarray(factors.out)).to(self.device)
        right = torch.from_numpy(np.ascontiguousarray(factors.right())).to(self.device)
        total = torch.zeros((left.shape[1], right.shape[1]), dtype=torch.int64, device=self.device)
        for shift, limb in limbs(coefficients, 1):
            part = torch.from_numpy(limb).to(self.device)
            product = (left.T.to(part.dtype) * part) @ right.to(part.dtype)
            total += shift * product.to(torch.int64)
        return total.reshape(factors.shape)

    def to_float32(self, integers: Tensor) -> Tensor:
        """Return int64 rounded once to float32."""
        return integers.to(torch.float32)

    def to_float64(self, array: Tensor) -> Tensor:
        """Return a float32 tensor widened to float64."""
        return array.to(torch.float64)
