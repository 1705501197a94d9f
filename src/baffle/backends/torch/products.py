"""The exact products of `baffle.updates.products` on torch, on any device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.backends.torch.signs import signs


class TorchProducts:
    """Torch tensors on one device.

    Where float32 products may be computed from shorter numbers (TF32, bfloat16), they are made in
    float64, of which there is no shorter form.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def signs(self, words: NDArray[np.uint32]) -> Tensor:
        """Return the signs of packed bits, float32 ±1 [n, 32 · W]."""
        return signs(words, torch.float32, self.device)

    def column(self, values: NDArray[np.float32]) -> Tensor:
        """Return values as a column [n, 1]."""
        return torch.from_numpy(values).to(self.device).unsqueeze(1)

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return a float32 tensor with any values.

        On the CPU NumPy asks for the memory, in huge pages where there are any.
        """
        if self.device.type == "cpu":
            return torch.from_numpy(np.empty(shape, dtype=np.float32))
        return torch.empty(shape, device=self.device)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        """Return zeros of type "float64" or "int64"."""
        return torch.zeros(shape, dtype=getattr(torch, dtype), device=self.device)

    def product(self, left: Tensor, right: Tensor, out: Tensor, add: bool) -> None:
        """Set `out` [r, c] to leftᵀ right, or add to it; left is [n, r], right [n, c]."""
        if not _full_precision(self.device):
            found = left.double().t() @ right.double()
            out.copy_(found + out if add else found)
        elif add:
            out.addmm_(left.t(), right)
        else:
            torch.mm(left.t(), right, out=out)

    def accumulate(self, total: Tensor, product: Tensor, shift: int) -> None:
        """Add shift · product to a total of a wider type."""
        total += product.to(total.dtype) * shift


def _full_precision(device: torch.device) -> bool:
    """Say whether float32 products on a device are made from float32 numbers."""
    if not hasattr(torch.backends, "fp32_precision"):  # before torch 2.9
        return torch.get_float32_matmul_precision() == "highest"
    backend = torch.backends.mkldnn if device.type == "cpu" else torch.backends.cuda
    return backend.matmul.fp32_precision in ("none", "ieee")
