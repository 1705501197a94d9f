"""What is checked when a run is opened, and what `verify` checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from baffle.errors import LedgerError, LedgerTampered
from baffle.ledger import meta, records, rows, snapshot
from baffle.ledger.database import require_known
from baffle.ledger.meta import Mark
from baffle.updates.state import TrainState

TAIL = 64  # rows checked on every open: about a millisecond


def opened(database: sqlite3.Connection, folder: Path) -> None:
    """Check header, tables, meta rows and the last rows.

    Args:
        database: an open run.
        folder: its folder.

    Raises:
        LedgerVersion: another format version.
        LedgerTampered: something differs; names the first bad round of the whole chain.
        LedgerError: no ledger, or a damaged one.
    """
    require_known(database, folder)
    meta.require_whole(database)
    base, head = meta.read_mark(database, "base"), meta.read_mark(database, "head")
    before = max(base.round, head.round - TAIL)
    try:
        for _ in _chain(database, Mark(before, rows.stored_link(database, base, before))):
            pass
        records.require_listed(database)
    except LedgerTampered:
        everything(database, folder)  # raises for the first bad round, which may lie further back
        raise


def everything(database: sqlite3.Connection, folder: Path) -> bytes:
    """Check every meta row, every row, every snapshot, and SQLite's own structures.

    Args:
        database: an open run.
        folder: its folder.

    Returns:
        the link of the last round, 32 bytes.

    Raises:
        LedgerTampered: something differs; names the first bad round.
        LedgerError: all content is intact but the database around it is damaged.
    """
    require_known(database, folder)
    meta.require_whole(database)
    base = meta.read_mark(database, "base")
    try:
        link = _history(database, folder, base)
    except LedgerTampered as error:
        _raise_earlier(database, base, error.round)
        raise
    _require_sound(database, folder)
    return link


def _raise_earlier(database: sqlite3.Connection, base: Mark, round: int) -> None:
    """Raise for a row added further back than a bad round: it stands beside the chain's way.

    A number that no round can have is only what became of another row's, which is named already.
    """
    try:
        rows.require_none_before(database, base)
    except LedgerTampered as stray:
        if 1 <= stray.round < round:
            raise


def _history(database: sqlite3.Connection, folder: Path, base: Mark) -> bytes:
    """Go along the chain from `base`, checking rounds and snapshots; return the last link."""
    unseen = set(meta.read_rounds(database))
    link = b""
    for (round, link), digest in _chain(database, base):
        if round in unseen:
            unseen.remove(round)
            _require_snapshot(database, folder, Mark(round, link), digest)
    if unseen:
        raise LedgerTampered(min(unseen), f"snapshot {min(unseen)} is of a round not stored")
    records.require_listed(database)
    return link


def _chain(database: sqlite3.Connection, start: Mark) -> Iterator[tuple[Mark, bytes | None]]:
    """Yield `start` and every later place up to the head, with the state digest where stored."""
    base, head = meta.read_mark(database, "base"), meta.read_mark(database, "head")
    yield start, None
    link = start.link
    for row, link in rows.walk(database, start, head.round):
        yield Mark(row.round, link), row.digest
    if link != head.link or head.round < base.round:
        raise LedgerTampered(head.round, f"round {head.round} is not the one last written")
    rows.require_none_before(database, base)
    rows.require_none_after(database, head)


def _require_snapshot(
    database: sqlite3.Connection, folder: Path, at: Mark, digest: bytes | None
) -> None:
    record = records.read(database, at.round)
    if record.link != at.link or digest not in (None, record.digest):
        raise LedgerTampered(at.round, f"the record of snapshot {at.round} is of another run")
    load(folder, record)


def load(folder: Path, record: records.Record) -> TrainState:
    """Return the state of a snapshot, checked against its record.

    Raises:
        LedgerTampered: the file is missing or differs.
    """
    path = folder / snapshot.FOLDER / record.file
    try:
        return snapshot.read(path, record.sha256, record.round, record.digest)
    except ValueError as error:
        raise LedgerTampered(record.round, f"snapshot {record.round}: {error}") from error


def _require_sound(database: sqlite3.Connection, folder: Path) -> None:
    found = [str(problem) for (problem,) in database.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise LedgerError(
            f"every round in {folder} is intact, but the database around them is damaged "
            f"({'; '.join(found)}); restore it from a copy"
        )
