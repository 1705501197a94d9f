"""The meta table: a handful of named values, each with a seal of its own.

format     the format version
genesis    what fixes the run before its first round
base       round and link of the last round that is no longer stored (round 0 at first)
head       round and link of the last row, so that a missing tail is noticed
snapshots  the rounds that have a snapshot, so that a missing record is noticed
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from baffle.errors import LedgerTampered
from baffle.ledger.chain import HASH_SIZE, MAX_ROUND, genesis_link, meta_seal, number
from baffle.ledger.failures import UNREADABLE

FORMAT = 1
KEYS = frozenset({"format", "genesis", "base", "head", "snapshots"})


class Mark(NamedTuple):
    """A place in the chain: a round and its link."""

    round: int
    link: bytes

    def pack(self) -> bytes:
        """Return the 40 bytes that are stored."""
        return number(self.round) + self.link


def initial(genesis: bytes) -> dict[str, bytes]:
    """Return the meta rows of a new run."""
    start = Mark(0, genesis_link(genesis)).pack()
    return {
        "format": number(FORMAT),
        "genesis": genesis,
        "base": start,
        "head": start,
        "snapshots": b"",
    }


def insert(database: sqlite3.Connection, key: str, value: bytes) -> None:
    """Store a value under a key, replacing what stood there."""
    database.execute("REPLACE INTO meta VALUES (?, ?, ?)", (key, value, meta_seal(key, value)))


def read(database: sqlite3.Connection, key: str) -> bytes:
    """Return a value.

    Raises:
        LedgerTampered: it is missing, unreadable or does not fit its seal; round 0.
    """
    query = "SELECT value, seal FROM meta WHERE key = ?"
    try:
        found = database.execute(query, (key,)).fetchone()
    except sqlite3.OperationalError as error:
        raise _unlike_text(error, repr(key)) from error
    if found is None:
        raise LedgerTampered(0, f"round 0: the meta row {key!r} is missing")
    value, seal = found
    if not isinstance(value, bytes) or seal != meta_seal(key, value):
        raise LedgerTampered(0, f"round 0: the meta row {key!r} differs from what was written")
    return value


def read_mark(database: sqlite3.Connection, key: str) -> Mark:
    """Return the round and link stored under "base" or "head"."""
    value = read(database, key)
    round = int.from_bytes(value[:8], "little")
    if len(value) != 8 + HASH_SIZE or round > MAX_ROUND:
        raise LedgerTampered(0, f"round 0: the meta row {key!r} is no round and link")
    return Mark(round, value[8:])


def read_rounds(database: sqlite3.Connection) -> tuple[int, ...]:
    """Return the rounds that have a snapshot, ascending."""
    value = read(database, "snapshots")
    rounds = tuple(int.from_bytes(value[i : i + 8], "little") for i in range(0, len(value), 8))
    if len(value) % 8 or list(rounds) != sorted(set(rounds)) or max(rounds, default=0) > MAX_ROUND:
        raise LedgerTampered(0, "round 0: the meta row 'snapshots' is no list of rounds")
    return rounds


def write_rounds(database: sqlite3.Connection, rounds: Iterable[int]) -> None:
    """Store the rounds that have a snapshot."""
    insert(database, "snapshots", b"".join(number(round) for round in sorted(set(rounds))))


def stored_format(database: sqlite3.Connection) -> int | None:
    """Return the format version by the meta table, or None where it cannot be told."""
    try:
        return int.from_bytes(read(database, "format"), "little")
    except (*UNREADABLE, LedgerTampered):
        return None


def require_whole(database: sqlite3.Connection) -> None:
    """Check every meta row.

    Raises:
        LedgerTampered: a row is missing, foreign or changed, or the chain does not begin with the
            genesis; round 0.
    """
    foreign = set(_keys(database)) - KEYS
    if foreign:
        raise LedgerTampered(0, f"round 0: a meta row {min(map(str, foreign))!r} is not ours")
    for key in sorted(KEYS):
        read(database, key)
    if stored_format(database) != FORMAT:
        raise LedgerTampered(0, "round 0: the meta row 'format' differs from the header")
    base = read_mark(database, "base")
    if base.round == 0 and base.link != genesis_link(read(database, "genesis")):
        raise LedgerTampered(0, "round 0: the chain does not begin with this genesis")


def _keys(database: sqlite3.Connection) -> list[object]:
    try:
        return [key for (key,) in database.execute("SELECT key FROM meta")]
    except sqlite3.OperationalError as error:
        raise _unlike_text(error, "of some key") from error


def _unlike_text(error: sqlite3.OperationalError, which: str) -> Exception:
    """sqlite3 itself, not SQLite, finds that a text is not UTF-8, and gives no code then."""
    if hasattr(error, "sqlite_errorcode"):
        return error
    return LedgerTampered(0, f"round 0: the meta row {which} cannot be read: {error}")
