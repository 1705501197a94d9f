"""What the arithmetic of int8 layers is in ONNX: a runtime's own int8 kernels.

The weight of a kernel is made of constants alone, so that a runtime computes it once, when it loads
the graph, and keeps the int8 form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from onnx import TensorProto
from onnxscript import opset18 as op

from baffle.int8 import arithmetic


def _steps(u: Any) -> Any:
    return op.Floor(op.Add(op.Mul(u, arithmetic.PER_UNIT), 0.5))


def _quantise(x: Any, scale: Any, zero: int) -> Any:
    return op.QuantizeLinear(x, scale, _unsigned(zero))


def _linear(x: Any, weight: Any, zero: int) -> Any:
    whole = _whole(op.Transpose(weight, perm=[1, 0]))
    return _real(op.MatMulInteger(x, whole, _unsigned(zero)))


def _conv2d(
    x: Any,
    weight: Any,
    zero: int,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Any:
    sums = op.ConvInteger(
        x,
        _whole(weight),
        _unsigned(zero),
        strides=stride,
        pads=[*padding, *padding],
        dilations=dilation,
        group=groups,
    )
    return _real(sums)


def _whole(weight: Any) -> Any:
    found: Any = op.Cast(weight, to=TensorProto.INT8)
    return found


def _real(sums: Any) -> Any:
    found: Any = op.Cast(sums, to=TensorProto.FLOAT)
    return found


def _unsigned(zero: int) -> Any:
    constant: Any = op.Constant(value_int=zero)
    found: Any = op.Cast(constant, to=TensorProto.UINT8)
    return found


TRANSLATIONS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.baffle.int8_steps.default: _steps,
    torch.ops.baffle.int8_quantise.default: _quantise,
    torch.ops.baffle.int8_linear.default: _linear,
    torch.ops.baffle.int8_conv2d.default: _conv2d,
}
