"""A device's data: a folder of `.npy` files, one an array that the model takes.

    <folder>/input.npy, target.npy        what it trains on
    <folder>/test/input.npy, target.npy   what it evaluates on; may be missing

Files are mapped, so that only the rows of a batch are ever in memory. Within an enclave, where the
host's files cannot be mapped (and a map would be a copy), they are read as a whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.examples import ArrayExamples
from baffle.backends.onnx.manifest import Manifest
from baffle.errors import DataError

TEST = "test"


def examples_of(folder: Path, manifest: Manifest) -> ArrayExamples:
    """Return a folder's examples.

    Raises:
        DataError: a file is missing, is no array, or has another type or shape than the model
            takes; names it.
    """
    names = [array.name for array in (*manifest.inputs, *manifest.targets)]
    found = ArrayExamples({name: _array(folder / f"{name}.npy") for name in names})
    found.require(manifest)
    if not len(found):
        raise DataError(f"expected at least one example in {folder}, got none")
    return found


def held_out_of(folder: Path, manifest: Manifest) -> ArrayExamples | None:
    """Return the examples that a device evaluates on, None if it has none.

    Raises:
        DataError: as for `examples_of`.
    """
    return examples_of(folder / TEST, manifest) if (folder / TEST).is_dir() else None


def _array(path: Path) -> NDArray:
    try:
        return _mapped(path)
    except (OSError, ValueError, EOFError) as problem:
        raise DataError(f"expected an array in {path}, got: {problem}") from None


def _mapped(path: Path) -> NDArray:
    try:
        found: NDArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:  # no map: the file is read, or says what is wrong with it
        found = np.load(path, allow_pickle=False)
    return found
