"""Numbered examples as NumPy arrays: what a client without torch trains on."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.manifest import Array, Manifest
from baffle.errors import DataError


@dataclass(frozen=True)
class ArrayExamples:
    """Inputs and targets by a graph's names, examples on axis 0; arrays may be memory maps.

    Args:
        arrays: by name.

    Raises:
        DataError: the arrays have no axis, or their lengths differ.
    """

    arrays: Mapping[str, NDArray]

    def __post_init__(self) -> None:
        lengths = {name: len(a) if a.ndim else None for name, a in self.arrays.items()}
        if len(set(lengths.values())) != 1 or None in lengths.values():
            raise DataError(f"expected arrays with as many examples each, got {lengths}")

    def __len__(self) -> int:
        """Number of examples."""
        return len(next(iter(self.arrays.values())))

    def batch(self, numbers: NDArray[np.int64]) -> dict[str, NDArray]:
        """Return the arrays of these examples, in this order, by name."""
        found = {name: np.ascontiguousarray(a[numbers]) for name, a in self.arrays.items()}
        self._let_go()
        return found

    def require(self, manifest: Manifest) -> None:
        """Compare the arrays with what a model takes.

        Raises:
            DataError: an array is missing, or has another type or shape; names it.
        """
        for wanted in (*manifest.inputs, *manifest.targets):
            _require(wanted, self.arrays.get(wanted.name))

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over names, shapes, types and values; 32 bytes. Costs a pass over the data."""
        found = hashlib.sha256(b"baffle arrays 1\n")
        for name in sorted(self.arrays):
            array = self.arrays[name]
            found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            for start in range(0, len(array), 1024):
                found.update(np.ascontiguousarray(array[start : start + 1024]).data)
                self._let_go()
        return found.digest()

    def _let_go(self) -> None:
        """Give back the pages of memory maps: what was looked at once would stay resident."""
        for array in self.arrays.values():
            mapped: object = array.base
            if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)


def _require(wanted: Array, found: NDArray | None) -> None:
    shape = ("examples", *wanted.shape)
    if found is None:
        raise DataError(f"expected an array {wanted.name} of {wanted.dtype} {shape}, found none")
    if found.shape[1:] != wanted.shape or found.dtype != np.dtype(wanted.dtype):
        raise DataError(
            f"expected {wanted.name} as {wanted.dtype} {shape}, got {found.dtype} {found.shape}"
        )
