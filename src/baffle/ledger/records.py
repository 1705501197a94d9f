"""The snapshots table: which snapshot files there are, each record sealed to the chain."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from baffle.errors import LedgerTampered
from baffle.ledger.chain import MAX_ROUND, snapshot_seal
from baffle.ledger.failures import UNREADABLE
from baffle.ledger.meta import read_rounds, write_rounds
from baffle.ledger.snapshot import file_name

_COLUMNS = "round, file, sha256, digest, link, seal"


@dataclass(frozen=True, slots=True)
class Record:
    """One snapshot file: its round, SHA-256, state digest, and the link of its round."""

    round: int
    sha256: bytes
    digest: bytes
    link: bytes

    @property
    def file(self) -> str:
        """Name of the file; follows from the round, so that no record points elsewhere."""
        return file_name(self.round)

    @property
    def seal(self) -> bytes:
        """Hash over the record and the link of its round, 32 bytes."""
        return snapshot_seal(self.link, self.round, self.file, self.sha256, self.digest)


def insert(database: sqlite3.Connection, record: Record) -> None:
    """Store a record, replacing one of the same round."""
    content = (record.round, record.file, record.sha256, record.digest, record.link, record.seal)
    database.execute(f"REPLACE INTO snapshots ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", content)
    write_rounds(database, (*read_rounds(database), record.round))


def read(database: sqlite3.Connection, round: int) -> Record:
    """Return the record of a round that the meta table lists.

    Raises:
        LedgerTampered: the record is missing, unreadable or does not fit its seal.
    """
    query = f"SELECT {_COLUMNS} FROM snapshots WHERE round = ?"
    try:
        stored = database.execute(query, (round,)).fetchone()
    except sqlite3.ProgrammingError:
        raise
    except UNREADABLE as error:
        raise LedgerTampered(round, f"snapshot {round} has no readable record") from error
    if stored is None:
        raise LedgerTampered(round, f"the record of snapshot {round} is missing")
    return _checked(stored)


def _checked(stored: tuple[Any, ...]) -> Record:
    round, file, sha256, digest, link, seal = stored
    if all(isinstance(value, bytes) for value in (sha256, digest, link)):
        record = Record(round, sha256, digest, link)
        if (record.file, record.seal) == (file, seal):
            return record
    raise LedgerTampered(round, f"the record of snapshot {round} differs from what was written")


def require_listed(database: sqlite3.Connection, upto: int = MAX_ROUND) -> None:
    """Check that the records up to a round are exactly those that the meta table lists.

    Raises:
        LedgerTampered: one is missing or foreign; the first.
    """
    listed = {round for round in read_rounds(database) if round <= upto}
    query = "SELECT round FROM snapshots WHERE round <= ?"
    stored = {round for (round,) in database.execute(query, (upto,))}
    if listed != stored:
        round = min(listed ^ stored)
        why = "is missing" if round in listed else "was not written by baffle"
        raise LedgerTampered(round, f"the record of snapshot {round} {why}")


def delete_before(database: sqlite3.Connection, round: int) -> list[str]:
    """Delete the records before a round; return the names of their files."""
    gone = [r for r in read_rounds(database) if r < round]
    database.execute("DELETE FROM snapshots WHERE round < ?", (round,))
    write_rounds(database, (r for r in read_rounds(database) if r >= round))
    return [file_name(r) for r in gone]
