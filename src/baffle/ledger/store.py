"""The ledger of one run, and all that changes it: create, append, snapshot, prune."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Self

from baffle.errors import LedgerError, LedgerFull, LedgerLocked
from baffle.ledger import check, meta, records, rows, snapshot
from baffle.ledger.chain import Row, row_link
from baffle.ledger.database import DATABASE, build, connect, shrink, transaction
from baffle.ledger.durable import make_folder, sync_folder
from baffle.ledger.failures import reported
from baffle.ledger.lock import WriterLock
from baffle.ledger.meta import Mark
from baffle.ledger.reading import Reading
from baffle.ledger.records import Record
from baffle.updates.state import TrainState


class Ledger(Reading):
    """A run folder, open. One process writes; any number read beside it. Use from one thread.

    Get one from `Ledger.create` or `Ledger.open`. Every method raises a LedgerError, never an
    error of SQLite or of the operating system.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Ledger.create(folder, genesis=b"config") as ledger:
        ...         ledger.append(Row(1, b"plan", b"sums", b"who", bytes(32)))
        ...         ledger.last_round, [row.plan for row in ledger.rows()]
        (1, [b'plan'])
    """

    def __init__(self, folder: Path, database: sqlite3.Connection, lock: WriterLock | None) -> None:
        super().__init__(folder, database)
        self._lock = lock

    @classmethod
    def create(cls, run_dir: str | PathLike[str], genesis: bytes, *, durable: bool = True) -> Self:
        """Start a run and return its ledger, open for writing.

        Args:
            run_dir: a folder, made if missing; other files in it are left alone.
            genesis: what fixes the run before its first round, encoded; link 0 is made of it.
            durable: see `open`.

        Raises:
            LedgerError: there is a run already, or the folder cannot be made.
            LedgerLocked: another process writes to the folder.
            LedgerFull: the disk would not take it.
        """
        folder = Path(run_dir)
        with reported(folder), ExitStack() as undo:
            make_folder(folder)
            lock = WriterLock(folder)
            undo.callback(lock.release)
            if (folder / DATABASE).exists():
                raise LedgerError(f"{folder} holds a run already; resume it or choose another")
            _require_no_log(folder)
            build(folder, genesis)
            sync_folder(folder.absolute().parent)
            ledger = cls._opened(folder, lock, durable)
            undo.pop_all()
        return ledger

    @classmethod
    def open(
        cls, run_dir: str | PathLike[str], write: bool = False, *, durable: bool = True
    ) -> Self:
        """Open a run and check its header, its meta rows and its last 64 rounds.

        Args:
            run_dir: the run folder.
            write: for appending, which one process may at a time.
            durable: whether a round that is stored survives a power cut. False spares a wait for
                the disk, for whoever can make lost rounds again: a power cut may take the last
                ones, whole; the end of the process takes none.

        Raises:
            LedgerError: the folder is no run, or its database is damaged.
            LedgerVersion: another format version.
            LedgerLocked: another process writes; names it.
            LedgerTampered: stored bytes differ; names the first bad round.
        """
        folder = Path(run_dir)
        with reported(folder), ExitStack() as undo:
            if not (folder / DATABASE).is_file():
                raise LedgerError(f"{folder} is not a run: it holds no {DATABASE}")
            lock = WriterLock(folder) if write else None
            if lock is not None:
                undo.callback(lock.release)
            ledger = cls._opened(folder, lock, durable)
            undo.pop_all()
        return ledger

    @classmethod
    def _opened(cls, folder: Path, lock: WriterLock | None, durable: bool) -> Self:
        database = connect(folder, write=lock is not None, durable=durable)
        try:
            with transaction(database, "BEGIN"):
                check.opened(database, folder)
        except BaseException:
            database.close()
            raise
        return cls(folder, database, lock)

    def append(self, row: Row) -> None:
        """Store a round; when this returns, it survives a crash, and if durable a power cut.

        Args:
            row: the round after `last_round`.

        Raises:
            LedgerError: another round is due, or the ledger is open for reading.
            LedgerFull: the disk would not take it; nothing is stored of it, try again later.
        """
        with self._writing():
            head = meta.read_mark(self._database, "head")
            if row.round != head.round + 1:
                raise LedgerError(f"expected round {head.round + 1} to append, got {row.round}")
            link = row_link(head.link, row)
            rows.insert(self._database, row, link)
            meta.insert(self._database, "head", Mark(row.round, link).pack())

    def save(self, state: TrainState) -> None:
        """Store a snapshot. Saving the same state again repairs a damaged file.

        Args:
            state: the state after a stored round, or of round 0.

        Raises:
            LedgerError: the state is not the one that the ledger holds the digest of.
            LedgerFull: the disk would not take it; the run can go on without it.
        """
        self._require_writer()
        link, digest = self.link(state.round), state.digest()
        if digest != self._known_digest(state.round, digest):
            raise LedgerError(f"the state of round {state.round} is not the one that was stored")
        with reported(self._folder):
            sha256 = snapshot.write(self._folder / snapshot.FOLDER, state)
        with self._writing():
            records.insert(self._database, Record(state.round, sha256, digest, link))

    def _known_digest(self, round: int, new: bytes) -> bytes:
        if round > 0:
            return next(self.rows(round, round)).digest
        with reported(self._folder):
            return records.read(self._database, 0).digest if self.snapshots else new

    def prune(self, round: int) -> None:
        """Delete all rounds and snapshots before a snapshot; replay then starts there.

        The row of the snapshot's own round stays, so that its digest remains in the chain.

        Args:
            round: one of `snapshots`; it is checked before anything is deleted.

        Raises:
            LedgerError: there is no such snapshot, or the ledger is open for reading.
            LedgerTampered: the snapshot is damaged; nothing is deleted.
            LedgerFull: the disk would not take the change; nothing is deleted.
        """
        self._require_writer()
        self.load(round)
        if round < self.first_round:
            return  # the snapshot of round 0: nothing lies before it
        base = Mark(round - 1, self.link(round - 1))
        with self._writing():
            rows.delete_before(self._database, round)
            files = records.delete_before(self._database, round)
            meta.insert(self._database, "base", base.pack())
        self._give_back(files)

    def _give_back(self, files: list[str]) -> None:
        """Free what is no longer recorded. A crash in here costs room, nothing else."""
        with reported(self._folder):
            for file in files:
                (self._folder / snapshot.FOLDER / file).unlink(missing_ok=True)
        with suppress(LedgerFull, LedgerLocked), reported(self._folder):
            shrink(self._database)  # if not now, then new rounds fill the room

    def close(self) -> None:
        """Close the files and let another process write. Harmless when repeated."""
        try:
            super().close()
        finally:
            if self._lock is not None:
                self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._require_writer()
        with reported(self._folder), transaction(self._database):
            yield

    def _require_writer(self) -> None:
        if self._lock is None:
            raise LedgerError(f"{self._folder} is open for reading; open it with write=True")


def _require_no_log(folder: Path) -> None:
    """Refuse a log without its database: SQLite would bring the old run back from it."""
    for ending in ("-wal", "-journal"):
        log = folder / f"{DATABASE}{ending}"
        if log.exists() and log.stat().st_size:
            raise LedgerError(
                f"{log} is left of another run whose database is gone; choose another"
            )
