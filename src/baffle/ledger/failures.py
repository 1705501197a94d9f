"""What SQLite and the operating system report, in the ledger's own errors."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baffle.errors import LedgerError, LedgerFull, LedgerLocked

# A quota and a file size limit feel like a full disk to whoever has to mend it.
_FULL_ERRNO = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# SQLite says "disk I/O error" where the system gave one of the above on a write, a sync or on
# growing its shared memory.
_FULL_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What running a query on a damaged file raises: sqlite3 decodes even SQLite's own messages, which
# may quote bytes of the file.
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Turn sqlite3 errors and OSErrors raised inside into LedgerErrors.

    Args:
        folder: the run folder, for the message.

    Raises:
        LedgerFull: the disk, a quota or a size limit is reached.
        LedgerLocked: another program keeps the database busy.
        LedgerError: anything else, a malformed database included.

    Example:
        >>> with reported(Path("runs/a")):
        ...     pass
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _from_sqlite(error, folder) from error
    except UnicodeDecodeError as error:
        raise _damaged(folder, str(error)) from error
    except OSError as error:
        raise _from_system(error, folder) from error


def _from_system(error: OSError, folder: Path) -> LedgerError:
    if error.errno in _FULL_ERRNO:
        return _full(folder, str(error))
    return LedgerError(f"cannot use the run folder {folder}: {error}")


def _from_sqlite(error: sqlite3.Error, folder: Path) -> LedgerError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _FULL_CODES:
        return _full(folder, str(error))
    if code & 0xFF in _BUSY:
        return LedgerLocked(
            f"another program keeps the database in {folder} busy ({error}); close it and try again"
        )
    if code & 0xFF in _DAMAGED:
        return _damaged(folder, str(error))
    return LedgerError(f"cannot use the database in {folder}: {error}")


def _damaged(folder: Path, why: str) -> LedgerError:
    return LedgerError(f"the database in {folder} is damaged ({why}); restore it from a copy")


def _full(folder: Path, why: str) -> LedgerFull:
    return LedgerFull(
        f"the disk would not take what was to be written to {folder} ({why}); nothing of it was "
        "acknowledged and all that was stored before is intact: free some space and resume"
    )
