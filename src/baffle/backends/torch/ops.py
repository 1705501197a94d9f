"""Updates on torch: the same bits as NumPy, on any device with IEEE float32 and float64."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.backends.torch.products import TorchProducts
from baffle.updates.products import NumpyProducts, Products


class TorchOps:
    """Torch tensors on one device.

    Args:
        device: where states live. Rank-one directions are summed there, on the CPU by NumPy,
            whose library took 2.7 ms where torch's took 3.3. Dense ones are summed on the CPU,
            where their bits are drawn.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)
        cpu = self.device.type == "cpu"
        self.products: Products = NumpyProducts() if cpu else TorchProducts(self.device)

    def asarray(self, values: NDArray[np.float32]) -> Tensor:
        """Return a float32 copy on the device."""
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self.device)

    def adopt(self, values: NDArray[np.float32] | Tensor) -> Tensor:
        """Return float32 values on the device; without a copy if they are there or on the CPU."""
        found = values if isinstance(values, Tensor) else torch.from_numpy(values)
        return found.to(self.device)

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

    def floor(self, array: Tensor) -> Tensor:
        """Return each number rounded down."""
        return torch.floor(array)

    def clip(self, array: Tensor, least: float, most: float) -> Tensor:
        """Return each number, or the bound that it lies beyond."""
        return torch.clamp(array, least, most)

    def to_float64(self, array: Tensor) -> Tensor:
        """Return a float32 tensor widened to float64."""
        return array.to(torch.float64)
