"""Operations of torch by what they tell: a tensor's form, or its values."""

from __future__ import annotations

from collections.abc import Callable

import torch

_METHODS = [
    *("size", "dim", "ndimension", "numel", "nelement", "stride", "storage_offset", "__len__"),
    *("is_contiguous", "is_floating_point", "is_complex", "element_size", "get_device"),
]
_TENSOR_GETTERS = {"T", "mT", "H", "mH", "data", "grad", "_grad", "real", "imag", "_base"}
_READING = [
    *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero", "nonzero", "unique"),
    *("__bool__", "__int__", "__float__", "__complex__", "__index__", "__array__", "__contains__"),
]

METADATA: frozenset[Callable] = frozenset(
    [getattr(torch.Tensor, name) for name in _METHODS]
    + [
        getter.__get__
        for name, getter in vars(torch._C.TensorBase).items()
        if hasattr(getter, "__set__") and name not in _TENSOR_GETTERS
    ]
)
"""What depends on shape, type and place alone: the same for a stand-in and at every point."""

READS: frozenset[Callable] = frozenset(
    [getattr(torch.Tensor, name) for name in _READING if hasattr(torch.Tensor, name)]
    + [torch.equal, torch.allclose, torch.is_nonzero, torch.nonzero, torch.unique, torch.argwhere]
)
"""What brings values into Python or into a shape, where points would have to part ways."""

FILLED: frozenset[Callable] = frozenset(
    [getattr(torch, name) for name in ("zeros", "ones", "full", "empty")]
    + [getattr(torch.Tensor, name) for name in ("new_zeros", "new_ones", "new_full", "new_empty")]
)
"""What makes a tensor of a given shape, all of whose rows are alike."""
