"""The `baffle` command."""

from __future__ import annotations

import os

# NumPy's products here are small. A thread a core for each of them waits for the slowest, and where
# something else runs on the machine a first run takes four times as long. Who sets it is obeyed; it
# must stand before NumPy is loaded. No result depends on it: sums of integers are exact.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from typing import Any

__all__ = ["main"]


def main(args: list[str] | None = None) -> Any:
    """Run the command line.

    A device has none of the libraries that the other commands are made with.
    """
    given = sys.argv[1:] if args is None else args
    if given[:1] == ["device"]:
        from baffle.drivers.device.start import become

        become(given[1:])
    from baffle.cli.main import main as typed

    return typed(args)
