"""How a device's process begins: without docstrings and assertions, and with one heap.

Python's -OO and a single arena of glibc's spare some five megabytes of what an enclave has ninety.
A fixed threshold for large blocks lets each of them go back to the system at once: by itself glibc
raises it up to 32 MiB, keeps what was freed, and has holes where the next block does not fit. That
is ten megabytes for MobileNetV2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

MODULE = "baffle.drivers.device"
LARGE = 2**17  # bytes; where glibc's threshold begins
ONE_HEAP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(LARGE),
    "OPENBLAS_NUM_THREADS": "1",
}


def become(arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the device's; signals and standard streams stay."""
    command = command_line(MODULE, arguments)
    os.execve(command[0], command, environment())


def command_line(module: str, arguments: Sequence[str]) -> list[str]:
    """Return how a small process of a module is started."""
    return [sys.executable, "-OO", "-m", module, *arguments]


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a small process; what is set already is obeyed."""
    return {**ONE_HEAP, **given}
