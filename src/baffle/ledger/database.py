"""The database file of a run: its tables, how it comes into being, how it is opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from baffle.errors import LedgerError, LedgerTampered, LedgerVersion
from baffle.ledger.durable import publish
from baffle.ledger.meta import FORMAT, initial, insert, stored_format

DATABASE = "ledger.db"
APPLICATION_ID = int.from_bytes(b"bafl", "big")
BUSY_SECONDS = 10.0

SCHEMA = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL, seal BLOB NOT NULL)"
    " WITHOUT ROWID",
    "rounds": "CREATE TABLE rounds (round INTEGER PRIMARY KEY, plan BLOB NOT NULL,"
    " outcome BLOB NOT NULL, participants BLOB NOT NULL, digest BLOB NOT NULL, link BLOB NOT NULL)",
    "snapshots": "CREATE TABLE snapshots (round INTEGER PRIMARY KEY, file TEXT NOT NULL,"
    " sha256 BLOB NOT NULL, digest BLOB NOT NULL, link BLOB NOT NULL, seal BLOB NOT NULL)",
}


def build(folder: Path, genesis: bytes) -> None:
    """Make the database of a new run: afterwards it is there as a whole, or not at all.

    Args:
        folder: the run folder, which exists and is locked by the caller.
        genesis: what fixes the run before its first round, encoded.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     build(Path(folder), b"run")
        ...     (Path(folder) / DATABASE).is_file()
        True
    """
    unfinished = folder / f"{DATABASE}.new"
    for leftover in folder.glob(f"{DATABASE}.new*"):
        leftover.unlink()
    database = sqlite3.connect(unfinished, isolation_level=None)
    with closing(database), transaction(database):
        for statement in SCHEMA.values():
            database.execute(statement)
        for key, value in initial(genesis).items():
            insert(database, key, value)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {FORMAT}")
    publish(unfinished, folder / DATABASE)


def connect(folder: Path, write: bool, durable: bool = True) -> sqlite3.Connection:
    """Open the database of a run in autocommit mode.

    Args:
        folder: the run folder.
        write: for appending; the caller holds the lock.
        durable: whether a commit waits for the disk. Where it does not, a power cut may take the
            last commits, never a part of one, nor one before another.

    Raises:
        sqlite3.Error: the file cannot be opened.
        LedgerError: the file system cannot hold a write-ahead log.
    """
    uri = f"{(folder / DATABASE).resolve().as_uri()}?{'mode=rw' if write else _read_mode(folder)}"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        if write:
            _log_ahead(database, folder, durable)
    except BaseException:
        database.close()
        raise
    return database


def _log_ahead(database: sqlite3.Connection, folder: Path, durable: bool) -> None:
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise LedgerError(
            f"the file system of {folder} cannot hold a write-ahead log; use a local disk"
        )
    database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")


def _read_mode(folder: Path) -> str:
    """A reader of a log writes a few bytes beside it; on a read-only medium there is no log."""
    settled = not (folder / f"{DATABASE}-wal").exists()
    return "mode=ro&immutable=1" if settled and not os.access(folder, os.W_OK) else "mode=ro"


@contextmanager
def transaction(database: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Commit what happens inside, or leave everything as it was.

    Args:
        database: a connection in autocommit mode.
        begin: "BEGIN" suffices for a consistent view while reading.
    """
    database.execute(begin)
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def shrink(database: sqlite3.Connection) -> None:
    """Give the room of deleted rows back to the disk; needs room for a copy meanwhile."""
    database.execute("VACUUM")


def require_known(database: sqlite3.Connection, folder: Path) -> None:
    """Check that the database is one of ours, of this format, with the tables of this format.

    Raises:
        LedgerError: some other program's database.
        LedgerVersion: another format version.
        LedgerTampered: the header or the tables were changed; round 0.
    """
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise LedgerError(f"{folder / DATABASE} is not a database that baffle made")
    _require_format(database, folder)
    found = set(database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    if found != {("table", name, name, statement) for name, statement in SCHEMA.items()}:
        raise LedgerTampered(0, f"the tables of {folder / DATABASE} are not those of a ledger")


def _require_format(database: sqlite3.Connection, folder: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == FORMAT:
        return
    # The version stands twice, so that a damaged header is not taken for another format.
    if stored_format(database) == FORMAT:
        raise LedgerTampered(0, f"the header of {folder / DATABASE} was changed")
    advice = (
        "upgrade baffle to read it (pip install --upgrade baffle)"
        if version > FORMAT
        else "read it with the release of baffle that wrote it"
    )
    raise LedgerVersion(
        f"{folder} has ledger format {version} and this baffle knows format {FORMAT}; {advice}"
    )
