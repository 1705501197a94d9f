"""The worker's log: a file that stays small, and its end as text for an error's message."""

from __future__ import annotations

import os
from pathlib import Path

MAX_LOG = 1 << 20  # bytes
KEPT = 1 << 16  # bytes that stay when it has grown over that
TAIL_LINES = 15
TAIL_BYTES = 4096
START = "--- worker"  # begins the line with which each start announces itself


def trim(path: Path, limit: int = MAX_LOG, kept: int = KEPT) -> None:
    """Keep the last `kept` bytes of a log that is over `limit` bytes.

    The file stays the same one, since the worker and its children write into it at its end. What
    they write in this very moment may be lost.
    """
    if not path.exists() or path.stat().st_size <= limit:
        return
    with path.open("r+b") as file:
        file.seek(-kept, os.SEEK_END)
        end = file.read(kept)
        file.seek(0)
        file.truncate()
        file.write(end)


def tail(path: Path) -> str:
    """The log's last lines since the last start, ready to be put after a message; "" if none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(-min(TAIL_BYTES, path.stat().st_size), os.SEEK_END)
        lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(START)]
    last = lines[starts[-1] + 1 if starts else 0 :][-TAIL_LINES:]
    # The end of a log goes to a terminal, so nothing in it may move a cursor.
    shown = ["".join(char if char.isprintable() else " " for char in line) for line in last]
    return "".join([f"\nThe end of {path}:", *(f"\n  {line}" for line in shown)]) if shown else ""
