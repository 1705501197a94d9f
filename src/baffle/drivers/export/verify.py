"""Do the graphs say what torch says? Losses far from the weights, at a few points of each pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from baffle.backends.onnx.examples import ArrayExamples
from baffle.backends.onnx.manifest import Array, Manifest
from baffle.backends.onnx.probe import OnnxProbe
from baffle.backends.onnx.sessions import Sessions
from baffle.backends.torch import TorchProbe, initial_weights
from baffle.backends.torch.examples import batch_size
from baffle.backends.torch.losses import Loss
from baffle.directions import Kind, Place, Points
from baffle.directions.rademacher import Rademacher
from baffle.directions.rank_one import RankOneKind
from baffle.errors import ModelError
from baffle.updates.grid import STEP_EXPONENT, on_grid

FAR, NEAR = -2, -9  # log2 of the moves in units of each tensor's size
LOST = -4  # log2 of the moves of a tensor of zeros
# float32 losses of two programs: sums in another order, over some dozens of layers.
TOLERANCE = 1e-4
MOST = 4  # examples of a comparison
MOVED = 3  # points of the graph that takes weights: both signs, and none


@dataclass(frozen=True)
class _Rows:
    """Examples as torch has them, for a probe."""

    batch_of_all: tuple[Any, Any]

    def __len__(self) -> int:
        return batch_size(self.batch_of_all[0])

    def batch(self, numbers: NDArray[np.int64]) -> tuple[Any, Any]:
        chosen = torch.from_numpy(numbers)
        inputs, targets = pytree.tree_map_only(Tensor, lambda x: x[chosen], self.batch_of_all)
        return inputs, targets


def verified(
    module: nn.Module, loss: Loss, examples: tuple[Any, Any], folder: Path, manifest: Manifest
) -> Manifest:
    """Return the manifest with the largest difference of its graphs' losses from torch's.

    Args:
        module: at the weights that were exported.
        loss, examples: as exported.
        folder: with graphs and constants.
        manifest: of the folder.

    Raises:
        ModelError: a graph's losses differ by more than rounding, relative to 1 + |loss|.
    """
    sessions = Sessions(folder, manifest)
    arrays = ArrayExamples(arrays_by_name(examples, manifest))
    weights = initial_weights(module)
    numbers = np.arange(min(MOST, len(arrays)))
    slow = TorchProbe(module, loss, _Rows(examples), route="one_by_one")
    worst = 0.0
    for graph in manifest.passes:
        probe = OnnxProbe(sessions, arrays, graph.points)
        for far in (FAR, NEAR):
            points = _points(manifest, weights, graph.points, far)
            worst = max(worst, _difference(probe, slow, weights, points, numbers, graph.file))
    plain = _points(manifest, weights, 1, FAR)
    probe = OnnxProbe(sessions, arrays, manifest.passes[0].points)
    worst = max(worst, _difference(probe, slow, weights, plain, numbers, manifest.plain.file))
    if manifest.open is not None:
        for far in (FAR, NEAR):
            points = _points(manifest, weights, MOVED, far, Rademacher())
            worst = max(
                worst, _difference(probe, slow, weights, points, numbers, manifest.open.file)
            )
    return replace(manifest, difference=worst)


def _difference(
    probe: OnnxProbe,
    slow: TorchProbe,
    weights: Mapping[str, NDArray[np.float32]],
    points: Points,
    numbers: NDArray[np.int64],
    file: str,
) -> float:
    found, known = probe(weights, points, numbers), slow(weights, points, numbers)
    off = np.abs(found - known) / (1 + np.abs(known))
    if not (off <= TOLERANCE).all():
        worst = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
        raise ModelError(
            f"{file} says {found[worst]:.6g} where torch says {known[worst]:.6g}: the loss is no "
            "mean over examples, the module mixes the examples of a batch, or an operation was "
            "translated wrongly"
        )
    return float(off.max())


def _points(
    manifest: Manifest,
    weights: Mapping[str, NDArray[np.float32]],
    count: int,
    far: int,
    kind: Kind = RankOneKind(),  # noqa: B008
) -> Points:
    """Return the unperturbed point alone, or last of `count`, the others with both signs."""
    signs = np.where(np.arange(count) % 2, -1, 1).astype(np.int8)
    signs[-1] = 0
    names = [tensor.name for _, tensor in manifest.signature.trained]
    exponents = tuple(  # int8 weights move by a step: what moves further is no int8
        STEP_EXPONENT if on_grid(name) else _size(weights[name]) + far for name in names
    )
    directions = np.arange(count, dtype=np.uint32)
    return Points(Place(0, 0), kind, exponents, directions, signs)


def _size(weights: NDArray[np.float32]) -> int:
    """Return the power of two above a tensor's root mean square."""
    size = math.sqrt(float(np.square(weights, dtype=np.float64).mean()))
    return math.frexp(size)[1] if 0 < size < math.inf else LOST


def arrays_by_name(examples: tuple[Any, Any], manifest: Manifest) -> dict[str, NDArray]:
    """Return a batch's arrays under the names that the graphs know."""
    found: dict[str, NDArray] = {}
    for given, named in zip(examples, (manifest.inputs, manifest.targets), strict=True):
        found.update(_arrays(given, named))
    return found


def _arrays(given: Any, named: tuple[Array, ...]) -> Mapping[str, NDArray]:
    leaves = [leaf.detach().cpu().numpy() for leaf in pytree.tree_leaves(given)]
    return {array.name: leaf for array, leaf in zip(named, leaves, strict=True)}
