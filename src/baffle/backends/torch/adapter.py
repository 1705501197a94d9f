"""A module's tensors as the core sees them: signature, float32 weights, and the way back.

A tensor that stands under several names (tied weights) is one tensor, under the first of its names
in `named_parameters` order. What is trained is what requires a gradient, though none is computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from baffle.directions import ModelSignature, TensorSpec
from baffle.errors import ModelError

Weights = Mapping[str, Any]  # float32 numpy arrays or tensors, by name
TRAINABLE_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Return every parameter and buffer once, under its first name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def trained_parameters(module: nn.Module) -> dict[str, Tensor]:
    """Return what probes move: non-empty parameters that require a gradient, by first name."""
    named = module.named_parameters()
    return {name: p for name, p in named if p.requires_grad and p.numel()}


def model_signature(module: nn.Module) -> ModelSignature:
    """Describe a module's tensors so that two machines can agree on it.

    Args:
        module: any module whose parameters are initialised.

    Returns:
        Every parameter and buffer once; trainable is `requires_grad`. The frozen digest is SHA-256
        over the bytes of all that is not trained, in canonical order. Costs one pass over these.

    Raises:
        ModelError: nothing is trainable, a trained tensor is not a dense floating one, or two
            trained tensors share memory without being the same Parameter.

    Example:
        >>> model_signature(nn.Linear(3, 2)).dimension
        8
    """
    tensors = named_tensors(module)
    for name, tensor in tensors.items():
        _require_usable(name, tensor)
    trained = {id(p) for p in trained_parameters(module).values()}
    _require_own_memory(trained_parameters(module))
    specs = tuple(_spec(name, t, id(t) in trained) for name, t in tensors.items())
    frozen = {name: t for name, t in tensors.items() if id(t) not in trained and t.numel()}
    return ModelSignature(specs, _digest(frozen))


def _spec(name: str, tensor: Tensor, trained: bool) -> TensorSpec:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return TensorSpec(name, tuple(tensor.shape), dtype, trained)


def _require_usable(name: str, tensor: Tensor) -> None:
    if is_lazy(tensor):
        raise ModelError(f"expected initialised tensors, {name} has no shape yet; run one forward")
    if tensor.is_meta:
        raise ModelError(
            f"expected tensors with values, {name} is on the meta device; load its values first"
        )
    if tensor.requires_grad and (
        tensor.dtype not in TRAINABLE_DTYPES or tensor.layout != torch.strided
    ):
        raise ModelError(
            f"expected dense real floating trained tensors, {name} is {tensor.dtype} "
            f"{tensor.layout}; freeze it with requires_grad_(False)"
        )


def _require_own_memory(trained: Mapping[str, Tensor]) -> None:
    """Refuse two Parameters on one memory: loading one would overwrite the other."""
    end, owner = 0, ""
    for name, tensor in sorted(trained.items(), key=lambda item: item[1].data_ptr()):
        if tensor.data_ptr() < end:
            raise ModelError(
                f"{owner} and {name} share memory but are two Parameters; "
                "tie them by assigning the same Parameter to both"
            )
        end, owner = tensor.data_ptr() + tensor.numel() * tensor.element_size(), name


def _digest(tensors: Mapping[str, Tensor]) -> bytes:
    if not tensors:
        return b""
    found = hashlib.sha256()
    for name in sorted(tensors, key=str.encode):
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        found.update(flat.view(torch.uint8).numpy().data)
    return found.digest()


def initial_weights(module: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return copies of the trained tensors as float32 arrays, by name; what a run starts from.

    Args:
        module: the module to copy from; its float64 weights are rounded to float32.

    Returns:
        One contiguous float32 array a trained tensor. Costs a copy.

    Example:
        >>> sorted(initial_weights(nn.Linear(3, 2)))
        ['bias', 'weight']
    """
    return {
        name: p.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
        for name, p in trained_parameters(module).items()
    }


def load_weights(module: nn.Module, weights: Weights) -> None:
    """Write float32 weights into the module's trained parameters, in place, without gradients.

    Args:
        module: its parameters keep their identity, dtype and device; the values are cast.
        weights: float32 arrays or tensors, exactly the trained tensors by name.

    Raises:
        ModelError: a name or shape stands on one side only; nothing has been written then.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> load_weights(layer, {name: w + 1 for name, w in initial_weights(layer).items()})
    """
    parameters = trained_parameters(module)
    expected = {(name, tuple(p.shape)) for name, p in parameters.items()}
    found = {(name, tuple(w.shape)) for name, w in weights.items()}
    if expected != found:
        raise ModelError(
            f"weights do not fit the module: expected {sorted(expected - found)}, "
            f"got {sorted(found - expected)}"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(as_tensor(weights[name]))


def as_tensor(values: Any) -> Tensor:
    """Return an array as a tensor on the same memory, for reading only; a tensor as it is."""
    if isinstance(values, Tensor):
        return values.detach()
    return torch.from_numpy(_writable_alias(np.asarray(values)))


class _Memory:
    """An array's memory without its read-only flag, of which torch would warn on every use."""

    def __init__(self, array: NDArray) -> None:
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (pointer, False)}
        self._keep = array


def _writable_alias(array: NDArray) -> NDArray:
    if array.flags.writeable and array.flags.aligned and min(array.strides, default=1) >= 0:
        return array
    return np.asarray(_Memory(np.ascontiguousarray(array)))
