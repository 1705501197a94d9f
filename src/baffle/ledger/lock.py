"""One writer a run folder, kept by the kernel: a lock that dies with its process."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from baffle.errors import LedgerError, LedgerLocked

LOCK_FILE = "lock"


class WriterLock:
    """The right to write to a run folder, held until `release` or the end of the process.

    Args:
        folder: the run folder, which exists.

    Raises:
        LedgerLocked: a living process holds it; the message names its process id.
        LedgerError: the system has no such locks.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WriterLock(Path(folder)).release()
    """

    def __init__(self, folder: Path) -> None:
        self._file: int | None = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(self._file, folder)
            # Only a help for people: what locks is the kernel, never the file's content.
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            self._forget()
            raise
        _held.add(self)

    def release(self) -> None:
        """Let another process write. Harmless when repeated."""
        if self._file is not None:
            import fcntl

            os.ftruncate(self._file, 0)
            # Said out loud, since a worker that is just being forked has a share of the file too.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._forget()

    def _forget(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _take(file: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError as error:  # Windows
        raise LedgerError(
            "writing a ledger needs POSIX file locks, which this system lacks"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
        raise LedgerLocked(
            f"process {holder or 'of unknown id'} is writing to the run folder {folder}; "
            "wait for it or stop it, or open the run for reading"
        ) from error


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    """Drop a forked child's share, or a worker that outlives the writer would keep the lock."""
    for lock in list(_held):
        lock._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
