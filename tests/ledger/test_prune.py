"""Pruning forgets what lies before a snapshot and keeps the rest verifiable."""

from __future__ import annotations

import sqlite3

import pytest

from baffle.errors import LedgerError, LedgerTampered
from baffle.ledger import Ledger


def test_what_is_left_stays_verifiable(run, row_of, state_of, genesis):
    with Ledger.open(run) as ledger:
        head, link_60 = ledger.verify(), ledger.link(60)
    with Ledger.open(run, write=True) as ledger:
        ledger.prune(40)
        ledger.append(row_of(101))
    with Ledger.open(run) as ledger:
        assert ledger.genesis == genesis
        assert (ledger.first_round, ledger.last_round) == (40, 101)
        assert ledger.snapshots == (40, 80)
        assert list(ledger.rows()) == [row_of(r) for r in range(40, 102)]
        assert (ledger.link(100), ledger.link(60)) == (head, link_60)
        assert ledger.load(40).digest() == state_of(40).digest()
        assert ledger.verify() == ledger.link(101)
    assert sorted(p.name for p in (run / "snapshots").iterdir()) == [
        "00000040.safetensors",
        "00000080.safetensors",
    ]


def test_the_file_shrinks_and_forgets(run):
    path = run / "ledger.db"
    before = path.stat().st_size
    assert b"plan39" in path.read_bytes()
    with Ledger.open(run, write=True) as ledger:
        ledger.prune(80)
    assert path.stat().st_size <= before / 2
    assert b"plan39" not in path.read_bytes()


def test_earlier_rounds_give_a_clear_error(run, state_of):
    with Ledger.open(run, write=True) as ledger:
        ledger.prune(40)
        for use in (lambda: ledger.rows(1), lambda: ledger.rows(39, 50), lambda: ledger.link(30)):
            with pytest.raises(LedgerError, match=r"no round before 40, .*snapshots .*\[40, 80\]"):
                use()
        with pytest.raises(LedgerError, match="the first one is of round 40"):
            ledger.nearest(39)
        for round in (0, 39):
            with pytest.raises(LedgerError):
                ledger.save(state_of(round))
        with pytest.raises(LedgerError, match="no snapshot of round 0"):
            ledger.load(0)


def test_pruning_again_and_nothing_to_prune(run):
    with Ledger.open(run, write=True) as ledger:
        head = ledger.verify()
        ledger.prune(0)
        assert ledger.first_round == 1
        for round in (40, 40, 80, 80):
            ledger.prune(round)
            assert ledger.first_round == round
            assert ledger.verify() == head
        with pytest.raises(LedgerError, match="no snapshot of round 40"):
            ledger.prune(40)


def test_pruning_to_the_last_round(run, state_of, row_of):
    with Ledger.open(run, write=True) as ledger:
        ledger.save(state_of(100))
        ledger.prune(100)
        assert list(ledger.rows()) == [row_of(100)]
        ledger.append(row_of(101))
        ledger.verify()


def test_nothing_is_deleted_behind_a_damaged_snapshot(run):
    (run / "snapshots" / "00000040.safetensors").write_bytes(b"damaged")
    with Ledger.open(run, write=True) as ledger:
        with pytest.raises(LedgerTampered):
            ledger.prune(40)
        assert ledger.first_round == 1


@pytest.mark.parametrize("round", [1, 39, 41, 101])
def test_only_at_a_snapshot(run, round):
    with Ledger.open(run, write=True) as ledger, pytest.raises(LedgerError, match="no snapshot"):
        ledger.prune(round)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
def test_without_room_to_shrink_the_pruning_stands(run, monkeypatch, code):
    def refuse(_: object) -> None:
        error = sqlite3.OperationalError("as VACUUM would")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr("baffle.ledger.store.shrink", refuse)
    with Ledger.open(run, write=True) as ledger:
        ledger.prune(40)
        ledger.verify()
    with Ledger.open(run) as ledger:
        assert ledger.first_round == 40


def test_a_row_missing_after_pruning_is_not_taken_for_pruned(run):
    with Ledger.open(run, write=True) as ledger:
        ledger.prune(40)
        ledger._database.execute("DELETE FROM rounds WHERE round = 40")
        with pytest.raises(LedgerTampered) as caught:
            ledger.verify()
    assert caught.value.round == 40


def test_a_reader_notices_that_rounds_were_pruned(run):
    with Ledger.open(run, write=True) as writer, Ledger.open(run) as reader:
        early = reader.rows(1, 90)
        half = reader.rows(1, 90)
        assert next(half).round == 1
        writer.prune(80)
        with pytest.raises(LedgerError, match="no round before 80") as caught:
            next(early)
        assert caught.type is LedgerError
        with pytest.raises(LedgerError, match="no round before 80") as caught:
            list(half)
        assert caught.type is LedgerError
        assert reader.verify() == writer.verify()


def test_verifying_while_the_writer_prunes(run, monkeypatch):
    """The reader's view still lists snapshots whose files are gone: not tampering."""
    from baffle.ledger import check

    real = check.everything
    with Ledger.open(run, write=True) as writer, Ledger.open(run) as reader:

        def late(database, folder):
            database.execute("SELECT count(*) FROM rounds").fetchone()  # fixes the reader's view
            monkeypatch.setattr(check, "everything", real)
            writer.prune(80)
            return real(database, folder)

        monkeypatch.setattr(check, "everything", late)
        assert reader.verify() == writer.link(100)
