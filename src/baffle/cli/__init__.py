"""The `baffle` command."""

from __future__ import annotations

import os

# NumPy's products here are small. A thread a core for each of them waits for the slowest, and where
# something else runs on the machine a first run takes four times as long. Who sets it is obeyed; it
# must stand before NumPy is loaded. No result depends on it: sums of integers are exact.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from baffle.cli.main import main

__all__ = ["main"]
