"""Memory of all processes that carry a mark in their environment, shared pages counted once."""

from __future__ import annotations

from pathlib import Path

from tools.fleet import processes

MIB = 2**20


def pss_mib(pid: int | str = "self") -> float:
    """Return a process's proportional set size; 0 if it has ended.

    A page that several processes map counts in equal parts for each.

    Args:
        pid: of the process.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # it ended, or is ending
        return 0.0
    (line,) = (line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024 / MIB


def marked(mark: str) -> tuple[float, int]:
    """Return the MiB of all living processes with a mark, and how many they are."""
    found = processes.find(mark)
    return sum(pss_mib(process.pid) for process in found), len(found)
