"""How a device's process begins: without docstrings and assertions, and with one heap.

Python's -OO and a single arena of glibc's spare some five megabytes of what an enclave has ninety.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

MODULE = "baffle.drivers.device"
ONE_HEAP = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}


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
