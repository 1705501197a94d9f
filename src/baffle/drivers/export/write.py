"""From a module to an exported folder: graphs, the file of constants, the manifest."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from baffle.backends.onnx.manifest import FILE, PAGE, Array, Constants, Graph, Manifest
from baffle.backends.onnx.probe import FACTORS
from baffle.backends.torch import model_signature
from baffle.backends.torch.examples import batch_size
from baffle.backends.torch.losses import Loss
from baffle.backends.torch.traced import Traced, traced_pass, traced_plain
from baffle.directions import ModelSignature
from baffle.directions.columns import Columns
from baffle.drivers.export.graph import (
    OPSET,
    Names,
    constants,
    peak_bytes,
    point_to,
    to_onnx,
    with_constants,
)
from baffle.drivers.export.verify import verified
from baffle.errors import ModelError

CONSTANTS, ALIGNED = "weights.bin", 64
PLAIN, OPEN = "plain.onnx", "open.onnx"  # the latter takes weights: any kind of direction
POINTS = (32, 16, 8, 4, 2)
BATCH = 8


@dataclass(frozen=True)
class Exported:
    """What an export came to.

    Args:
        folder: where it lies.
        manifest: its page.
        slow: operations that go point after point.
        size: bytes of all files.
    """

    folder: Path
    manifest: Manifest
    slow: tuple[str, ...]
    size: int


def export(
    module: nn.Module,
    loss: Loss,
    examples: tuple[Any, Any],
    folder: Path,
    points: Sequence[int] = POINTS,
    batch: int = BATCH,
) -> Exported:
    """Write a module as graphs that a client probes with ONNX Runtime alone.

    Args:
        module: any module that the batched pass covers; its weights go with it.
        loss: (output, target) to the scalar mean over a batch; a mean of each example's own loss.
        examples: (inputs, targets) of at least one example, for shapes and for the comparison.
        folder: is made; must not exist or be empty.
        points: P of the passes to write; a client takes the largest that its memory allows.
        batch: B of a pass. A client's batch may be another: it is taken in parts, or filled up.

    Returns:
        What was written. Costs about five seconds a graph.

    Raises:
        ModelError: the module has no batched pass or no ONNX graph, or its graphs' losses are not
            torch's.
        ConfigError: `points` or `batch` make no sense.
    """
    sizes = sorted(set(points), reverse=True)
    if not sizes or sizes[-1] < 2 or batch < 1:
        raise ModelError(f"expected passes of two points or more, got {list(points)} × {batch}")
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"expected an empty or new folder, {folder} holds files")
    signature = model_signature(module)
    _require_float32(signature)
    columns = Columns(signature)
    rows = _filled(examples, batch)
    traced = {1: traced_plain(module, loss, rows, columns)}
    for count in sizes:
        traced[count] = traced_pass(module, loss, rows, columns, count)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as made:
        place = Path(made)
        manifest = _write(place, signature, columns, examples, traced, batch)
        manifest = verified(module, loss, examples, place, manifest)
        (place / FILE).write_text(manifest.to_json(), encoding="utf-8")
        folder.mkdir(exist_ok=True)
        for path in sorted(place.iterdir()):
            shutil.move(path, folder / path.name)
    slow = sorted({name for one in traced.values() for name in one.slow})
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Exported(folder, manifest, tuple(slow), size)


def _require_float32(signature: ModelSignature) -> None:
    other = [str(tensor) for _, tensor in signature.trained if tensor.dtype != "float32"]
    if other:
        raise ModelError(f"expected trained tensors in float32, got {'; '.join(other[:3])}")


def _write(
    folder: Path,
    signature: ModelSignature,
    columns: Columns,
    examples: tuple[Any, Any],
    traced: dict[int, Traced],
    batch: int,
) -> Manifest:
    inputs, targets, spread = arrays_of(*examples)
    weights = _weights(traced[1], columns)
    given = tuple(a.name for a in (*inputs, *targets))
    models = _models(traced, given, weights)
    peaks = {name: peak_bytes(model) for name, (model, *_) in models.items()}
    values = constants([model for model, *_ in models.values()], list(weights))
    for name, value in weights.items():  # one that no graph reads is kept all the same
        values.setdefault(name, value)
    where = _laid_out(folder / CONSTANTS, values, list(weights))
    graphs = []
    for name, (model, count, outputs) in models.items():
        point_to(model, CONSTANTS, where)
        data = model.SerializeToString(deterministic=True)
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        graphs.append(Graph(name, count, batch, outputs, peaks[name], digest, name == OPEN))
    kept = _kept(folder / CONSTANTS, where, list(weights))
    made_by = {name: version(name) for name in ("baffle", "torch", "onnx", "onnxscript")}
    return Manifest(signature, inputs, targets, spread, tuple(graphs), kept, OPSET, made_by, 0.0)


def _models(
    traced: dict[int, Traced], given: tuple[str, ...], weights: dict[str, NDArray[np.float32]]
) -> dict[str, tuple[ModelProto, int, tuple[str, ...]]]:
    """Return graph, P and outputs by file: plain, passes, and the plain one that takes weights."""
    models: dict[str, tuple[ModelProto, int, tuple[str, ...]]] = {}
    for count, one in traced.items():
        inputs = given if count == 1 else (*given, FACTORS)
        outputs = ("losses", "right")[: _results(one)]
        found = to_onnx(one, Names(inputs, tuple(weights), outputs))
        models[PLAIN if count == 1 else f"pass-{count}.onnx"] = (
            with_constants(found, weights), count, outputs,
        )  # fmt: skip
        if count == 1:
            open_ = found, count, outputs
    models[OPEN] = open_
    return models


def _weights(plain: Traced, columns: Columns) -> dict[str, NDArray[np.float32]]:
    """Return the trained tensors, in the order in which a graph takes them."""
    names = [place.tensor.name for place in columns.places]
    behind = plain.example[len(plain.example) - len(names) :]
    return {name: value.numpy() for name, value in zip(names, behind, strict=True)}


def _kept(path: Path, where: dict[str, tuple[int, int]], trained: Sequence[str]) -> Constants:
    """Return what the page says of the file of constants."""
    begin = _begin(where, trained)
    rest = hashlib.sha256(path.read_bytes()[begin:]).hexdigest()
    starts = {name: where[name][0] for name in trained}
    return Constants(CONSTANTS, path.stat().st_size, starts, begin, rest)


def _results(traced: Traced) -> int:
    """Return how many tensors a graph returns."""
    node = next(n for n in traced.graph.graph.nodes if n.op == "output")
    found = node.args[0]
    return len(found) if isinstance(found, (tuple, list)) else 1


def _laid_out(
    path: Path, values: dict[str, NDArray], trained: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Write the constants one behind another; return where each lies."""
    places: dict[str, tuple[int, int]] = {}
    names = [*trained, *(name for name in values if name not in trained)]
    with path.open("wb") as file:
        for name in names:
            step = ALIGNED if name in trained else PAGE
            file.write(b"\0" * (-file.tell() % step))
            data = np.ascontiguousarray(values[name]).tobytes()
            places[name] = file.tell(), len(data)
            file.write(data)
    return places


def _begin(places: dict[str, tuple[int, int]], trained: Sequence[str]) -> int:
    """Return where constants begin that are not trained."""
    end = max(sum(places[name]) for name in trained)
    return min((start for name, (start, _) in places.items() if name not in trained), default=end)


def arrays_of(inputs: Any, targets: Any) -> tuple[tuple[Array, ...], tuple[Array, ...], str]:
    """Return what the arrays of a batch are called, and how inputs are spread.

    Raises:
        ModelError: inputs or targets are not tensors, a tuple or a dict of them.
    """
    spread = (
        "dict" if isinstance(inputs, dict) else "one" if isinstance(inputs, Tensor) else "tuple"
    )
    return tuple(_named("input", inputs)), tuple(_named("target", targets)), spread


def _named(what: str, given: Any) -> Iterator[Array]:
    if isinstance(given, Tensor):
        yield _array(what, given)
    elif isinstance(given, dict):
        for key in given:  # in this order, as torch flattens it
            yield _array(f"{what}.{key}", given[key])
    elif isinstance(given, (tuple, list)):
        for number, tensor in enumerate(given):
            yield _array(f"{what}.{number}", tensor)
    else:
        raise ModelError(f"expected {what}s as a tensor, tuple or dict, got {type(given).__name__}")


def _array(name: str, tensor: Any) -> Array:
    if not isinstance(tensor, Tensor):
        raise ModelError(f"expected a tensor for {name}, got {type(tensor).__name__}")
    return Array(name, tuple(tensor.shape[1:]), str(tensor.dtype).removeprefix("torch."))


def _filled(examples: tuple[Any, Any], size: int) -> tuple[Any, Any]:
    """Return as many examples, the given ones over and over."""
    rows = torch.arange(size) % batch_size(examples[0])
    return torch.utils._pytree.tree_map_only(Tensor, lambda x: x[rows], examples)
