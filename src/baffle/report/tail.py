"""Reads metrics.jsonl while another process writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from baffle.drivers.local.metrics import FILE, Row

MAX_LINE = 1 << 20  # bytes; a row has about a thousand


class Tail:
    """Returns a run's new rows each time it is asked.

    A line is read once its end is there, so a row that is being written waits for the next time.
    A resume writes the file anew; then everything is read again.

    Args:
        folder: run folder; it, or the file in it, may not be there yet.

    Example:
        >>> Tail(Path("runs/not yet")).read()
        (False, [])
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.changed: float | None = None  # when the file last changed, seconds since 1970
        self._place = 0
        self._file: tuple[int, int] | None = None

    def read(self) -> tuple[bool, list[Row]]:
        """Return whether to forget the rows that came before, and the rows that are new."""
        try:
            with self.path.open("rb") as file:
                anew = self._is_another(os.fstat(file.fileno()))
                return anew, list(self._rows(file))
        except FileNotFoundError:
            anew, self._file, self._place, self.changed = self._file is not None, None, 0, None
            return anew, []

    def _is_another(self, found: os.stat_result) -> bool:
        """Return whether the file was replaced or cut; then the place is its beginning again."""
        before, self._file = self._file, (found.st_dev, found.st_ino)
        self.changed = found.st_mtime
        if before in (None, self._file) and found.st_size >= self._place:
            return False
        self._place = 0
        return True

    def _rows(self, file: BinaryIO) -> Iterator[Row]:
        file.seek(self._place)
        while (line := file.readline(MAX_LINE)).endswith(b"\n") or len(line) == MAX_LINE:
            self._place = file.tell()
            row = _row(line)
            if row is not None:
                yield row


def _row(line: bytes) -> Row | None:
    """Return a line's row; None for what a crash made of one."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(row, dict) and type(row.get("round")) is int
    return row if known else None
