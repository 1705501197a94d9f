"""Packed bits to signs on a device: one table look-up a byte."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baffle.directions.packed import as_bytes
from baffle.directions.tables import sign_table


@cache
def _table(device: torch.device) -> Tensor:
    """Return the eight signs of each byte as one 64-bit number: one element to fetch, not eight."""
    return torch.from_numpy(sign_table().view(np.int64).reshape(256)).to(device)


def signs(words: NDArray[np.uint32], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the signs of packed bits, ±1 [n, 32 · W] of any type; only the bits are moved."""
    packed = torch.from_numpy(as_bytes(np.ascontiguousarray(words))).to(device)
    found = _table(device).index_select(0, packed.view(-1).int())
    return found.view(torch.int8).view(len(words), -1).to(dtype)
