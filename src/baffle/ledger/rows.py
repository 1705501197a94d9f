"""The rounds table: one row a round, each checked against the chain as it is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from baffle.errors import LedgerTampered
from baffle.ledger.chain import HASH_SIZE, Row, row_link
from baffle.ledger.failures import UNREADABLE
from baffle.ledger.meta import Mark

BATCH = 64  # rows held at a time; no read transaction outlives a batch, so logs stay short

_COLUMNS = "round, plan, outcome, participants, digest, link"


def insert(database: sqlite3.Connection, row: Row, link: bytes) -> None:
    """Store a row and its link."""
    content = (row.round, row.plan, row.outcome, row.participants, row.digest, link)
    database.execute(f"INSERT INTO rounds ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", content)


def walk(database: sqlite3.Connection, before: Mark, last: int) -> Iterator[tuple[Row, bytes]]:
    """Yield the rows after a mark with their links, each one checked.

    Args:
        database: an open run.
        before: round and link of the round before the first one wanted.
        last: the last round wanted.

    Raises:
        LedgerTampered: a row is missing, unreadable or changed; the first such round.
    """
    wanted, link = before.round + 1, before.link
    while wanted <= last:
        for stored in _batch(database, wanted, last):
            row, link = _checked(stored, wanted, link)
            yield row, link
            wanted += 1


def _batch(database: sqlite3.Connection, first: int, last: int) -> list[tuple[Any, ...]]:
    query = f"SELECT {_COLUMNS} FROM rounds WHERE round BETWEEN ? AND ? ORDER BY round LIMIT ?"
    got: list[tuple[Any, ...]] = []
    try:
        # Row by row, because SQLite notices a bad page only when it gets there.
        got.extend(database.execute(query, (first, last, BATCH)))
    except sqlite3.ProgrammingError:
        raise  # closed, or the wrong thread: nothing to do with what is stored
    except UNREADABLE as error:
        if not got:
            raise LedgerTampered(first, f"round {first} cannot be read: {error}") from error
    if not got:
        raise LedgerTampered(first, f"round {first} is missing")
    return got


def _checked(stored: tuple[Any, ...], wanted: int, link: bytes) -> tuple[Row, bytes]:
    round, *content, stored_link = stored
    if round != wanted:
        raise LedgerTampered(wanted, f"round {wanted} is missing")
    if all(isinstance(c, bytes) for c in content) and len(content[-1]) == HASH_SIZE:
        row = Row(round, *content)
        if row_link(link, row) == stored_link:
            return row, stored_link
    raise LedgerTampered(wanted, f"round {wanted} differs from what was written")


def stored_link(database: sqlite3.Connection, base: Mark, round: int) -> bytes:
    """Return the link of a round as it is stored, unchecked.

    Raises:
        LedgerTampered: it is missing.
    """
    if round == base.round:
        return base.link
    found = database.execute("SELECT link FROM rounds WHERE round = ?", (round,)).fetchone()
    if found is None or not isinstance(found[0], bytes):
        raise LedgerTampered(round, f"round {round} has no link")
    return found[0]


def require_none_before(database: sqlite3.Connection, base: Mark) -> None:
    """Raise LedgerTampered if a row stands where those after `base` ought to begin."""
    try:
        (round,) = database.execute("SELECT min(round) FROM rounds").fetchone()
    except sqlite3.ProgrammingError:
        raise
    except UNREADABLE:
        return  # a walk comes to the same place and names the round
    _require_ours(round, round is None or round > base.round)


def require_none_after(database: sqlite3.Connection, head: Mark) -> None:
    """Raise LedgerTampered if a row stands after `head`."""
    (round,) = database.execute("SELECT max(round) FROM rounds").fetchone()
    _require_ours(round, round is None or round <= head.round)


def _require_ours(round: int, ours: bool) -> None:
    if not ours:
        raise LedgerTampered(round, f"round {round} was not written by baffle")


def delete_before(database: sqlite3.Connection, round: int) -> None:
    """Delete the rows before a round."""
    database.execute("DELETE FROM rounds WHERE round < ?", (round,))
