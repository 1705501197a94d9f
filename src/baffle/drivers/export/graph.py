"""A traced pass as an ONNX graph whose weights stand in a file beside it.

PyTorch's exporter translates the operations. Here inputs get their names, the trained tensors
become constants (a runtime packs constant weights once, for a product twice as fast) in all graphs
but the one that takes weights, and every constant of some size moves to the file, the trained ones
first.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, TypeProto, external_data_helper, numpy_helper

from baffle.backends.torch.traced import Traced
from baffle.drivers.export.translations import TRANSLATIONS
from baffle.errors import ModelError

OPSET, IR_VERSION = 18, 10
INLINE_BYTES = 1024  # a smaller constant stays in the graph: shapes, axes, ones


@dataclass(frozen=True)
class Names:
    """What a graph's inputs and outputs are called, in the order of the traced tensors.

    Args:
        inputs: of examples, targets, and factors where there are any.
        weights: of the trained tensors.
        outputs: of what it returns.
    """

    inputs: tuple[str, ...]
    weights: tuple[str, ...]
    outputs: tuple[str, ...]


def to_onnx(traced: Traced, names: Names) -> ModelProto:
    """Return the graph, with the trained tensors as inputs behind the others.

    Raises:
        ModelError: the exporter has no translation for an operation; names it.
    """
    wanted = (*names.inputs, *names.weights)
    if len(set(wanted)) != len(wanted):
        raise ModelError(f"expected inputs and trained tensors of different names, got {wanted}")
    with _quiet():
        try:
            program = torch.onnx.export(
                traced.graph,
                traced.example,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(wanted),
                output_names=list(names.outputs),
                custom_translation_table=dict(TRANSLATIONS),
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as problem:
            raise ModelError(f"this model has no ONNX graph: {_reason(problem)}") from None
    assert program is not None
    model = program.model_proto
    model.ir_version = min(model.ir_version, IR_VERSION)
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.doc_string = ""
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    return model


def with_constants(model: ModelProto, weights: Mapping[str, NDArray[np.float32]]) -> ModelProto:
    """Return a graph whose inputs of these names are constants with these values.

    One that nothing reads is left out.
    """
    model = ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    inputs = [x for x in graph.input if x.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    read = {name for node in graph.node for name in node.input}
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), name)
        for name, value in weights.items()
        if name in read
    )
    return model


def _reason(problem: BaseException) -> str:
    """Return the innermost cause's first line."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return (str(problem).splitlines() or [type(problem).__name__])[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own progress and warnings off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def peak_bytes(model: ModelProto) -> int:
    """Return what a run's tensors take at most, each from where it is made to its last use.

    Constants and what a kernel needs for itself are not counted.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    sizes = {v.name: _bytes(v.type.tensor_type) for v in (*graph.value_info, *graph.output)}
    last = {name: place for place, node in enumerate(graph.node) for name in node.input}
    kept = {v.name for v in graph.output}
    held = peak = 0
    for place, node in enumerate(graph.node):
        held += sum(sizes.get(name, 0) for name in node.output)
        peak = max(peak, held)
        ended = {n for n in (*node.input, *node.output) if last.get(n, place) <= place}
        held -= sum(sizes.get(name, 0) for name in ended - kept)
    return peak


def _bytes(kind: TypeProto.Tensor) -> int:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
    return math.prod(d.dim_value for d in kind.shape.dim) * dtype.itemsize


def constants(models: Sequence[ModelProto], trained: Sequence[str]) -> dict[str, NDArray]:
    """Return what goes to the file by name: the trained tensors first, then other large constants.

    Constants of several graphs that are equal are one; others get names that differ.
    """
    found: dict[str, NDArray] = {}
    same: dict[tuple[str, bytes], str] = {}
    for number, model in enumerate(models):
        renamed: dict[str, str] = {}
        for tensor in model.graph.initializer:
            value = numpy_helper.to_array(tensor)
            if tensor.name in trained:
                found[tensor.name] = value
            elif value.nbytes >= INLINE_BYTES:
                key = f"{value.dtype}{value.shape}", value.tobytes()
                name = same.setdefault(key, f"constant.{number}.{tensor.name}")
                renamed[tensor.name] = name
                found[name] = value
        _rename(model, renamed)
    return {**{n: found[n] for n in trained if n in found}, **found}


def _rename(model: ModelProto, names: Mapping[str, str]) -> None:
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
    kept: dict[str, TensorProto] = {}
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
        kept.setdefault(tensor.name, tensor)
    once = [TensorProto.FromString(t.SerializeToString()) for t in kept.values()]
    del model.graph.initializer[:]
    model.graph.initializer.extend(once)


def point_to(model: ModelProto, file: str, places: Mapping[str, tuple[int, int]]) -> None:
    """Let constants be read from a file.

    Args:
        model: is changed.
        file: its name, beside the graph.
        places: by constant's name, its offset and length in bytes.
    """
    for tensor in model.graph.initializer:
        if tensor.name in places:
            offset, length = places[tensor.name]
            external_data_helper.set_external_data(tensor, file, offset, length)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
