"""Whether a process still runs, without taking another for it that got the same number."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

END_S = 5.0  # for the work in hand, between asking a process to end and killing it


def identity(pid: int) -> str | None:
    """A name of the process that now has this number.

    Args:
        pid: process id, above 0.

    Returns:
        A short text that stays the same while that process runs; None if none runs (one that has
        ended and waits to be collected counts as ended). On Linux it holds the time of the
        process's start, so that a reused number is noticed; elsewhere it is the number alone.

    Example:
        >>> identity(os.getpid()) == identity(os.getpid())
        True
    """
    return _identity(pid)


def end(pid: int, name: str, *, at_once: bool) -> None:
    """Signal a process and, when `at_once`, its whole group; nothing if it is not `name` any more.

    Args:
        pid: the process id; the process leads a group of its own.
        name: its `identity`.
        at_once: kill it instead of asking it to end.
    """
    if identity(pid) != name:
        return
    with contextlib.suppress(ProcessLookupError):
        if not at_once or sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)


if sys.platform == "linux":

    def _identity(pid: int) -> str | None:
        try:
            text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        except PermissionError:
            return f"{pid}"  # another user's, on a system that hides those
        # The command's name stands in parentheses and may hold anything: count from the last one.
        fields = text.rpartition(")")[2].split()
        state, started = fields[0], fields[19]
        return None if state in "ZX" else f"{pid}.{started}"

elif sys.platform == "win32":

    def _identity(pid: int) -> str | None:
        import ctypes

        synchronise, timed_out = 0x00100000, 0x102
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(synchronise, False, pid)
        if not handle:
            return None
        try:
            runs = kernel.WaitForSingleObject(handle, 0) == timed_out
            return f"{pid}" if runs else None
        finally:
            kernel.CloseHandle(handle)
else:

    def _identity(pid: int) -> str | None:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return f"{pid}"  # another user's, but it runs
        return f"{pid}"
