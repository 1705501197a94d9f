"""Parts of a message on disk, read when they are looked at: a state that comes takes no memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, overload


class Spool(Sequence[bytes]):
    """Parts in a file without a name, which is gone when nobody holds them any more.

    Args:
        file: of the parts, one behind another.
        ends: where the first begins, and where each ends.
        whole: the parts that these are some of, whose file it is; None for whose own it is.
    """

    def __init__(self, file: IO[bytes], ends: Sequence[int], whole: Spool | None = None) -> None:
        self._file, self._ends, self._whole = file, ends, whole
        if whole is None:
            weakref.finalize(self, file.close)

    @classmethod
    def of(cls, parts: Iterable[bytes], folder: Path) -> Spool:
        """Return parts, each written before the next one is asked for.

        Raises:
            OSError: the folder's disk would not take them.
        """
        ends = [0]
        spool = cls(tempfile.TemporaryFile(dir=folder), ends)  # noqa: SIM115 (open while held)
        for part in parts:
            spool._file.write(part)
            ends.append(ends[-1] + len(part))
        return spool

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Spool: ...
    def __getitem__(self, place: int | slice) -> bytes | Spool:
        """Return a part, or the parts of a slice that leaves out none between."""
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ValueError(f"expected parts in a row, got a step of {step}")
            return Spool(self._file, self._ends[start : max(start, stop) + 1], self)
        at = range(len(self))[place]
        start, end = self._ends[at : at + 2]
        self._file.seek(start)
        return self._file.read(end - start)
