"""What a client without torch takes: memory of whole rounds, and probes over plain inference."""

from __future__ import annotations

from baffle.bench.device.rows import DeviceOptions, device

__all__ = ["DeviceOptions", "device"]
