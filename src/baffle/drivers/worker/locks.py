"""Locks on files that the kernel frees when their holder ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

POLL_S = 0.01


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of all holding processes.

    A forked child shares it; `close_in_children` ends that. Between two threads of one process it
    excludes like between two processes. The file stays, since to delete it would let two hold it.

    Args:
        path: the file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self, patience: float = 0.0) -> bool:
        """Take the lock, waiting up to `patience` seconds; returns whether it was taken."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + patience
        while not _lock(file):
            if time.monotonic() >= end:
                os.close(file)
                return False
            time.sleep(POLL_S)
        self._file = file
        return True

    def release(self) -> None:
        """Let another take it. Harmless when repeated."""
        file, self._file = self._file, None
        if file is not None:
            _unlock(file)
            os.close(file)

    def close_in_children(self) -> None:
        """From now on a forked child drops its share, so that it cannot outlive the holder."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on `path`."""
    lock = FileLock(path)
    free = lock.take()
    lock.release()
    return not free


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        os.lseek(file, 0, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: int) -> None:
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: int) -> None:
        # Said out loud: a child that is just being forked has a share of the file too.
        fcntl.flock(file, fcntl.LOCK_UN)
