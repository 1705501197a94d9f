"""What goes in comes out; what cannot be done says why."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading

import pytest

from baffle.errors import LedgerError, LedgerFull, LedgerLocked, LedgerTampered
from baffle.ledger import Ledger, genesis_link, row_link


def test_rows_come_back_after_reopening(run, row_of, genesis):
    with Ledger.open(run) as ledger:
        assert ledger.genesis == genesis
        assert (ledger.first_round, ledger.last_round) == (1, 100)
        assert list(ledger.rows()) == [row_of(r) for r in range(1, 101)]
        assert list(ledger.rows(7, 80)) == [row_of(r) for r in range(7, 81)]
        assert list(ledger.rows(101)) == []


def test_links_are_those_of_the_chain(run, row_of, genesis):
    with Ledger.open(run) as ledger:
        link = genesis_link(genesis)
        assert ledger.link(0) == link
        for round in range(1, 101):
            link = row_link(link, row_of(round))
            assert ledger.link(round) == link
        assert ledger.verify() == link


def test_a_writer_goes_on_where_it_stopped(run, row_of):
    for round in (101, 102):
        with Ledger.open(run, write=True) as ledger:
            ledger.append(row_of(round))
    with Ledger.open(run) as ledger:
        assert list(ledger.rows(100)) == [row_of(r) for r in (100, 101, 102)]


@pytest.mark.parametrize("round", [1, 100, 102])
def test_only_the_next_round_can_be_appended(run, row_of, round):
    with (
        Ledger.open(run, write=True) as ledger,
        pytest.raises(LedgerError, match=f"expected round 101 to append, got {round}"),
    ):
        ledger.append(row_of(round))


def test_what_append_returns_from_is_committed_and_synced(run):
    with Ledger.open(run, write=True) as ledger:
        assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert ledger._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert ledger._database.isolation_level is None


def test_without_waiting_for_the_disk_a_power_cut_takes_the_last_rounds_whole(tmp_path, row_of):
    """The write-ahead log may end anywhere on the disk: the rounds before that are there."""
    kept = set()
    with Ledger.create(tmp_path / "run", b"genesis", durable=False) as ledger:
        assert ledger._database.execute("PRAGMA synchronous").fetchone() == (1,)
        assert ledger._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        for round in range(1, 9):
            ledger.append(row_of(round))
        log = (tmp_path / "run" / "ledger.db-wal").read_bytes()
        for number, length in enumerate([*range(0, len(log), len(log) // 40), len(log)]):
            cut = tmp_path / str(number)
            cut.mkdir()
            shutil.copy(tmp_path / "run" / "ledger.db", cut)
            (cut / "ledger.db-wal").write_bytes(log[:length])
            with Ledger.open(cut, write=True, durable=False) as left:
                left.verify()
                assert list(left.rows()) == [row_of(r) for r in range(1, left.last_round + 1)]
                left.append(row_of(left.last_round + 1))
                kept.add(left.last_round - 1)
    assert {0, 4, 8} <= kept  # some lost all, some half, some nothing


def test_a_reader_sees_a_writer_at_work(run, row_of, state_of):
    with Ledger.open(run, write=True) as writer, Ledger.open(run) as reader:
        half = reader.rows(50)
        assert next(half) == row_of(50)
        for round in range(101, 301):
            writer.append(row_of(round))
            assert reader.last_round == round
        writer.save(state_of(300))
        assert reader.load(300).digest() == state_of(300).digest()
        assert [row.round for row in half] == list(range(51, 101))
        assert reader.verify() == writer.verify() == writer.link(300)


def test_a_reader_cannot_write(run, row_of, state_of):
    with Ledger.open(run) as ledger:
        for refused in (
            lambda: ledger.append(row_of(101)),
            lambda: ledger.save(state_of(100)),
            lambda: ledger.prune(40),
        ):
            with pytest.raises(LedgerError, match="open for reading; open it with write=True"):
                refused()


def test_a_second_writer_is_told_who_the_first_is(run, row_of):
    with Ledger.open(run, write=True) as ledger:
        with pytest.raises(LedgerLocked, match=f"process {os.getpid()} is writing"):
            Ledger.open(run, write=True)
        ledger.append(row_of(101))  # the refused one has not loosened the lock
        with pytest.raises(LedgerLocked):
            Ledger.open(run, write=True)
    Ledger.open(run, write=True).close()


def test_a_database_kept_busy_by_another_program(run, row_of, monkeypatch):
    monkeypatch.setattr("baffle.ledger.database.BUSY_SECONDS", 0.05)
    with Ledger.open(run, write=True) as ledger:
        other = sqlite3.connect(run / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerLocked, match="another program"):
            ledger.append(row_of(101))
        other.close()
        ledger.append(row_of(101))


def test_create_makes_folders_and_keeps_other_files(tmp_path):
    folder = tmp_path / "runs" / "a ?#%1"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("x = 1")
    Ledger.create(folder, b"").close()
    with Ledger.open(folder) as ledger:
        assert (ledger.genesis, ledger.last_round, list(ledger.rows())) == (b"", 0, [])
        assert ledger.verify() == genesis_link(b"")
    assert (folder / "config.toml").read_text() == "x = 1"


def test_create_never_overwrites(run):
    with pytest.raises(LedgerError, match="holds a run already"):
        Ledger.create(run, b"other")
    Ledger.open(run, write=True).close()  # and it holds no lock


def test_folders_that_are_no_run(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(LedgerError, match="is not a run"):
            Ledger.open(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError):
        Ledger.create(tmp_path / "file", b"")


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("content", [b"", b"x", b"no database at all " * 300, b"SQLite format 3\0"])
def test_files_that_are_no_database(tmp_path, content, write):
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerError):
        Ledger.open(tmp_path, write)


def test_another_programs_database(tmp_path):
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute("CREATE TABLE meta (key, value)")
    database.close()
    with pytest.raises(LedgerError, match="not a database that baffle made"):
        Ledger.open(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_database_cut_short(run, share):
    path = run / "ledger.db"
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(LedgerError), Ledger.open(run) as ledger:
        ledger.verify()


def test_rows_that_are_not_there(run):
    with Ledger.open(run) as ledger:
        for first, last in ((1, 101), (102, None), (200, 300), (0, 3), (-5, 3)):
            with pytest.raises(LedgerError, match=r"holds no round before 1|ends with round 100"):
                ledger.rows(first, last)
        for round in (-1, 101, 2**70):
            with pytest.raises(LedgerError):
                ledger.link(round)


def test_after_closing(run):
    ledger = Ledger.open(run, write=True)
    ledger.close()
    ledger.close()
    for use in (lambda: ledger.last_round, ledger.rows, ledger.verify, lambda: ledger.prune(40)):
        with pytest.raises(LedgerError, match="closed"):
            use()


def test_from_another_thread(run):
    said = []
    with Ledger.open(run) as ledger:

        def use():
            with pytest.raises(LedgerError, match="thread") as caught:
                ledger.verify()
            said.append(caught.type)

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert said == [LedgerError]
        ledger.verify()


def test_a_medium_that_cannot_be_written(run, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    before = sorted(run.iterdir())
    with Ledger.open(run) as ledger:
        ledger.verify()
        assert sorted(run.iterdir()) == before


def test_a_failed_open_leaves_nothing_open(run):
    with sqlite3.connect(run / "ledger.db") as database:
        database.execute("UPDATE rounds SET plan = x'00' WHERE round = 99")
    database.close()
    for _ in range(3):
        with pytest.raises(LedgerTampered):
            Ledger.open(run, write=True)
    assert (run / "lock").read_bytes() == b""


def test_errors_of_the_system_become_ours(run, monkeypatch):
    def refuse(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LedgerFull, match="free some space"):
        Ledger.open(run, write=True)


def test_a_log_without_its_database_is_not_brought_back(tmp_path):
    (tmp_path / "ledger.db-wal").write_bytes(b"left of another run")
    with pytest.raises(LedgerError, match="left of another run"):
        Ledger.create(tmp_path, b"genesis")
