"""Exported models, as for the backend's tests."""

from __future__ import annotations

from tests.backends.onnx.conftest import perceptron

__all__ = ["perceptron"]
