"""The trained tensors in an exported folder's file of constants: read, compared, written in place.

The file is a copy of weights that stand in the client's state. If a power cut leaves half a write
behind, the comparison that comes before the next use finds it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.backends.onnx.manifest import Manifest
from baffle.errors import ModelError

Weights = Mapping[str, NDArray[np.float32]]


class WeightsFile:
    """A folder's trained tensors.

    Args:
        folder: an exported model of this client's own.
        manifest: of the folder.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.path = folder / manifest.constants.file
        self._starts = manifest.constants.trained
        self._shapes = {t.name: t.shape for _, t in manifest.signature.trained}

    def read(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of the tensors, by name."""
        return {name: self._tensor(name) for name in self._starts}

    def holds(self, weights: Weights) -> bool:
        """Say whether the file's tensors are these, bit for bit."""
        self.require(weights)
        return all(
            np.array_equal(
                self._tensor(name).view(np.uint32),
                np.ascontiguousarray(weights[name], dtype="<f4").view(np.uint32),
            )
            for name in self._starts
        )

    def write(self, weights: Weights) -> None:
        """Put tensors in the place of those in the file.

        Raises:
            ModelError: a name or shape does not fit; nothing has been written then.
        """
        self.require(weights)
        with self.path.open("r+b") as file:
            for name, start in self._starts.items():
                file.seek(start)
                file.write(np.ascontiguousarray(weights[name], dtype="<f4").data)

    def _tensor(self, name: str) -> NDArray[np.float32]:
        shape = self._shapes[name]
        count = math.prod(shape)
        found = np.fromfile(self.path, "<f4", count, offset=self._starts[name])
        if len(found) != count:
            raise ModelError(f"{self.path} ends before the tensor {name}")
        return found.reshape(shape)

    def require(self, weights: Weights) -> None:
        """Compare names and shapes with the file's.

        Raises:
            ModelError: a name or shape does not fit; says which.
        """
        found = {name: w.shape for name, w in weights.items()}
        if found != self._shapes:
            ours, theirs = self._shapes.items(), found.items()
            raise ModelError(
                f"weights do not fit the exported model: expected {sorted(ours - theirs)}, got "
                f"{sorted(theirs - ours)}"
            )
