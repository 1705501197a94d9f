"""What can be asked of an open run without changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from baffle.errors import LedgerError, LedgerTampered
from baffle.ledger import check, meta, records, rows
from baffle.ledger.chain import Row
from baffle.ledger.database import transaction
from baffle.ledger.failures import reported
from baffle.ledger.meta import Mark
from baffle.updates.state import TrainState


class Reading:
    """The reading half of a `Ledger`.

    Args:
        folder: the run folder.
        database: its open database; closed by `close`.
    """

    def __init__(self, folder: Path, database: sqlite3.Connection) -> None:
        self._folder = folder
        self._database = database

    @property
    def genesis(self) -> bytes:
        """What fixes the run before its first round, as given to `create`."""
        with reported(self._folder):
            return meta.read(self._database, "genesis")

    @property
    def first_round(self) -> int:
        """The first round that is stored or will be: 1 until `prune`."""
        with reported(self._folder):
            return meta.read_mark(self._database, "base").round + 1

    @property
    def last_round(self) -> int:
        """The last round stored, 0 before any; a reader sees it grow."""
        with reported(self._folder):
            return meta.read_mark(self._database, "head").round

    @property
    def snapshots(self) -> tuple[int, ...]:
        """The rounds that have a snapshot, ascending."""
        with reported(self._folder):
            return meta.read_rounds(self._database)

    def rows(self, first: int | None = None, last: int | None = None) -> Iterator[Row]:
        """Return an iterator over rounds, each checked against the chain when it is read.

        Args:
            first: the first round wanted; by default the first stored.
            last: the last round wanted; by default the last stored.

        Raises:
            LedgerError: a round is not stored; says whether it was pruned.
            LedgerTampered: while iterating, at the first bad round.
        """
        first = self.first_round if first is None else first
        last = self.last_round if last is None else last
        self._require_stored(first, last)
        return self._rows(Mark(first - 1, self.link(first - 1)), last)

    def link(self, round: int) -> bytes:
        """Return the link of a round, 32 bytes; note it elsewhere to prove the run later.

        Args:
            round: 0 for the genesis, up to `last_round`.

        Raises:
            LedgerError: the round is not stored.
        """
        with self._consistent():
            base = meta.read_mark(self._database, "base")
            if round != base.round:
                self._require_stored(round, round)
            return rows.stored_link(self._database, base, round)

    def verify(self) -> bytes:
        """Check every byte: the whole chain, all snapshots, and SQLite's own structures.

        Returns:
            the link of the last round, 32 bytes, to compare with one noted elsewhere.

        Raises:
            LedgerTampered: something differs; names the first bad round.
            LedgerError: all content is intact but the database around it is damaged.
        """
        first = self.first_round
        try:
            with self._consistent():
                return check.everything(self._database, self._folder)
        except LedgerTampered:
            if self.first_round == first:
                raise
        return self.verify()  # the writer pruned meanwhile

    def load(self, round: int) -> TrainState:
        """Return the state of a snapshot, checked by file hash and by state digest.

        Args:
            round: one of `snapshots`.

        Raises:
            LedgerError: there is no such snapshot.
            LedgerTampered: file or record differ.
        """
        try:
            if round in self.snapshots:
                with reported(self._folder):
                    return check.load(self._folder, records.read(self._database, round))
        except LedgerTampered:
            if round in self.snapshots:  # else it was pruned meanwhile
                raise
        raise LedgerError(f"there is no snapshot of round {round} in {self._folder}")

    def nearest(self, round: int) -> int:
        """Return the round of the newest snapshot at or before a round.

        Args:
            round: where a replay is to end.

        Raises:
            LedgerError: there is none; says from where on there are.
        """
        stored = self.snapshots
        before = [r for r in stored if r <= round]
        if before:
            return before[-1]
        why = f"the first one is of round {stored[0]}" if stored else "there are none at all"
        raise LedgerError(f"{self._folder} has no snapshot at or before round {round}: {why}")

    def close(self) -> None:
        """Close the files. Harmless when repeated."""
        with reported(self._folder):
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _consistent(self) -> Iterator[None]:
        """See one state of the database inside, whatever a writer does meanwhile."""
        with reported(self._folder), transaction(self._database, "BEGIN"):
            yield

    def _rows(self, before: Mark, last: int) -> Iterator[Row]:
        try:
            with reported(self._folder):
                for row, _ in rows.walk(self._database, before, last):
                    yield row
        except LedgerTampered as error:
            self._require_stored(error.round, last)  # missing because pruned meanwhile?
            raise

    def _require_stored(self, first: int, last: int) -> None:
        stored_first, stored_last = self.first_round, self.last_round
        if first < stored_first:
            raise LedgerError(
                f"{self._folder} holds no round before {stored_first}, and {first} was asked for; "
                f"replay can start from the snapshots of the rounds {list(self.snapshots)[:8]}"
            )
        if last > stored_last or first > stored_last + 1:
            wanted = max(first, last)
            raise LedgerError(f"{self._folder} ends with round {stored_last}, not {wanted}")
