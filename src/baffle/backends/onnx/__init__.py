"""An exported model as a probe, by ONNX Runtime and NumPy alone: no torch, no autodiff."""

from __future__ import annotations

from baffle.backends.onnx.examples import ArrayExamples
from baffle.backends.onnx.manifest import FILE, Manifest
from baffle.backends.onnx.probe import OnnxProbe

__all__ = ["FILE", "ArrayExamples", "Manifest", "OnnxProbe"]
