"""To watch a run with other people's tools: TensorBoard, MLflow, Prometheus, JSON logs."""

from __future__ import annotations

from baffle.monitor.base import Monitor
from baffle.monitor.many import Many
from baffle.monitor.registry import MONITORS, monitors_of

__all__ = ["MONITORS", "Many", "Monitor", "monitors_of"]
