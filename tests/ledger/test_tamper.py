"""Change one byte anywhere in a run: `verify` names the first round concerned."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import LedgerTampered
from baffle.ledger import Ledger

META = ("format", "genesis", "base", "head", "snapshots")
masks = st.integers(1, 255)
few = settings(max_examples=60, deadline=None)  # each one copies and checks a whole run


@contextlib.contextmanager
def copied(sample: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(sample, Path(folder) / "run"))


def change(run: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(run / "ledger.db", isolation_level=None)
    with contextlib.closing(database):
        assert database.execute(statement, values).rowcount == 1


def flip(run: Path, place: str, column: str, where: object, at: float, mask: int) -> None:
    """Flip bits of one byte of one value; `at` in [0, 1) says which byte."""
    table, key = place.split(".")
    database = sqlite3.connect(run / "ledger.db", isolation_level=None)
    with contextlib.closing(database):
        query = f"SELECT {column} FROM {table} WHERE {key} = ?"
        (value,) = database.execute(query, (where,)).fetchone()
    change(run, f"UPDATE {table} SET {column} = ? WHERE {key} = ?", flipped(value, at, mask), where)


def flipped(value: object, at: float, mask: int) -> object:
    if isinstance(value, int):
        raw = bytearray(value.to_bytes(8, "little", signed=True))
    else:
        raw = bytearray(value.encode() if isinstance(value, str) else value)
    raw[int(at * len(raw))] ^= mask
    if isinstance(value, int):
        return int.from_bytes(raw, "little", signed=True)
    return raw.decode("latin-1") if isinstance(value, str) else bytes(raw)


def named(run: Path) -> int:
    """Return the round that open or verify names."""
    with pytest.raises(LedgerTampered) as caught, Ledger.open(run) as ledger:
        ledger.verify()
    return caught.value.round


@few
@given(
    round=st.integers(1, 100),
    column=st.sampled_from(["plan", "outcome", "participants", "digest", "link"]),
    at=st.floats(0, 1, exclude_max=True),
    mask=masks,
)
def test_any_byte_of_any_row(sample, round, column, at, mask):
    with copied(sample) as run:
        flip(run, "rounds.round", column, round, at, mask)
        assert named(run) == round


@few
@given(round=st.integers(1, 100), at=st.floats(0, 1, exclude_max=True), mask=masks)
def test_any_byte_of_a_round_number(sample, round, at, mask):
    new = flipped(round, at, mask)
    with copied(sample) as run:
        if 1 <= new <= 100:  # the place is taken: the row that stood there is replaced
            change(run, "DELETE FROM rounds WHERE round = ?", new)
        change(run, "UPDATE rounds SET round = ? WHERE round = ?", new, round)
        assert named(run) == (min(new, round) if 1 <= new <= 100 else round)


@few
@given(
    key=st.sampled_from(META),
    column=st.sampled_from(["key", "value", "seal"]),
    at=st.floats(0, 1, exclude_max=True),
    mask=masks,
)
def test_any_byte_of_any_meta_row(sample, key, column, at, mask):
    with copied(sample) as run:
        flip(run, "meta.key", column, key, at, mask)
        assert named(run) == 0


@few
@given(
    round=st.sampled_from([0, 40, 80]),
    column=st.sampled_from(["round", "file", "sha256", "digest", "link", "seal"]),
    at=st.floats(0, 1, exclude_max=True),
    mask=masks,
)
def test_any_byte_of_any_snapshot_record(sample, round, column, at, mask):
    with copied(sample) as run:
        if column == "round" and flipped(round, at, mask) in (0, 40, 80):
            return  # SQLite refuses two records of one round
        flip(run, "snapshots.round", column, round, at, mask)
        assert named(run) == round


@few
@given(round=st.sampled_from([0, 40, 80]), at=st.floats(0, 1, exclude_max=True), mask=masks)
def test_any_byte_of_any_snapshot_file(sample, round, at, mask):
    with copied(sample) as run:
        path = run / "snapshots" / f"{round:08d}.safetensors"
        raw = bytearray(path.read_bytes())
        raw[int(at * len(raw))] ^= mask
        path.write_bytes(raw)
        assert named(run) == round
        with Ledger.open(run) as ledger, pytest.raises(LedgerTampered, match="differs from what"):
            ledger.load(round)


@pytest.mark.parametrize("round", [1, 2, 36, 37, 50, 99, 100])
def test_a_row_deleted(run, round):
    change(run, "DELETE FROM rounds WHERE round = ?", round)
    assert named(run) == round


@pytest.mark.parametrize("round", [1, 50, 99, 100])
def test_a_row_duplicated(run, round):
    """In place of the one that follows."""
    change(run, "DELETE FROM rounds WHERE round = ?", round + 1) if round < 100 else None
    columns = "plan, outcome, participants, digest, link"
    copy = f"INSERT INTO rounds SELECT round + 1, {columns} FROM rounds WHERE round = ?"
    change(run, copy, round)
    assert named(run) == round + 1


@pytest.mark.parametrize("round", [-1, 0, 1000])
def test_a_row_added_outside(run, round):
    columns = "plan, outcome, participants, digest, link"
    change(run, f"INSERT INTO rounds SELECT ?, {columns} FROM rounds WHERE round = 1", round)
    assert named(run) == round


def test_two_rows_exchanged(run):
    for old, new in ((10, -1), (20, 10), (-1, 20)):
        change(run, "UPDATE rounds SET round = ? WHERE round = ?", new, old)
    assert named(run) == 10


@pytest.mark.parametrize("column", ["plan", "outcome", "participants", "digest", "link"])
@pytest.mark.parametrize("value", ["text", 1, 1.5, b""])
def test_a_value_of_another_type(run, column, value):
    change(run, f"UPDATE rounds SET {column} = ? WHERE round = 100", value)
    assert named(run) == 100


def test_the_first_of_several_is_named(run):
    for round in (99, 3, 70):
        change(run, "UPDATE rounds SET plan = x'00' WHERE round = ?", round)
    change(run, "UPDATE snapshots SET sha256 = zeroblob(32) WHERE round = 40")
    assert named(run) == 3


def test_a_bad_snapshot_before_a_bad_row_is_named(run):
    (run / "snapshots" / "00000040.safetensors").unlink()
    change(run, "UPDATE rounds SET plan = x'00' WHERE round = 60")
    assert named(run) == 40


@pytest.mark.parametrize("key", META)
def test_a_meta_row_deleted(run, key):
    change(run, "DELETE FROM meta WHERE key = ?", key)
    assert named(run) == 0


def test_a_meta_row_added(run):
    change(run, "INSERT INTO meta VALUES ('extra', x'', x'')")
    assert named(run) == 0


def test_another_genesis_with_a_seal_of_its_own(run):
    from baffle.ledger import meta

    database = sqlite3.connect(run / "ledger.db", isolation_level=None)
    with contextlib.closing(database):
        meta.insert(database, "genesis", b"genesis of another run")
    assert named(run) == 0


@pytest.mark.parametrize("column", ["key", "value", "seal"])
def test_a_meta_row_with_a_text_that_is_none(run, column):
    change(run, f"UPDATE meta SET {column} = CAST(x'ff' AS TEXT) WHERE key = 'head'")
    assert named(run) == 0


@pytest.mark.parametrize("round", [0, 40, 80])
def test_a_snapshot_record_deleted(run, round):
    change(run, "DELETE FROM snapshots WHERE round = ?", round)
    assert named(run) == round


def test_a_snapshot_record_added(run):
    columns = "file, sha256, digest, link, seal"
    change(run, f"INSERT INTO snapshots SELECT 60, {columns} FROM snapshots WHERE round = 40")
    assert named(run) == 60


@pytest.mark.parametrize("round", [0, 40, 80])
def test_a_snapshot_file_deleted(run, round):
    (run / "snapshots" / f"{round:08d}.safetensors").unlink()
    assert named(run) == round


def test_a_snapshot_of_another_run_with_a_seal_of_its_own(run, tmp_path, state_of, row_of):
    """Everything about the record is consistent, only the chain does not know it."""
    with Ledger.create(tmp_path / "other", b"other genesis") as other:
        other.save(state_of(0))
        for round in range(1, 41):
            other.append(row_of(round))
        other.save(state_of(40))
        source = other._database.execute("SELECT * FROM snapshots WHERE round = 40").fetchone()
    change(run, "REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", *source)
    assert named(run) == 40


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (x)",
        "CREATE VIEW more AS SELECT * FROM rounds",
        "CREATE TRIGGER more AFTER INSERT ON rounds BEGIN DELETE FROM rounds; END",
        "ALTER TABLE rounds ADD COLUMN more",
        "DROP TABLE snapshots",
    ],
)
def test_tables_changed(run, statement):
    database = sqlite3.connect(run / "ledger.db", isolation_level=None)
    database.execute(statement)
    database.close()
    assert named(run) == 0


def test_rows_stops_at_the_first_bad_one(run, row_of):
    change(run, "UPDATE rounds SET outcome = x'00' WHERE round = 20")
    read: list[int] = []
    with Ledger.open(run) as ledger, pytest.raises(LedgerTampered, match="round 20 differs"):
        read.extend(row.round for row in ledger.rows())
    assert read == list(range(1, 20))


def test_opening_looks_at_the_tail_only(run):
    change(run, "UPDATE rounds SET outcome = x'00' WHERE round = 36")
    Ledger.open(run).close()
    change(run, "UPDATE rounds SET outcome = x'00' WHERE round = 37")
    with pytest.raises(LedgerTampered) as caught:
        Ledger.open(run)
    assert caught.value.round == 36


def rewritten(run: Path, edit: Callable[[sqlite3.Connection], None]) -> bytes:
    database = sqlite3.connect(run / "ledger.db", isolation_level=None)
    with contextlib.closing(database):
        edit(database)
    with Ledger.open(run) as ledger:
        return ledger.verify()


def test_a_consistent_rewrite_gives_another_last_link(run):
    """No hash can tell a run from another run; the link noted elsewhere does."""
    from baffle.ledger import meta

    with Ledger.open(run) as ledger:
        noted, shorter = ledger.verify(), ledger.link(99)

    def cut(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM rounds WHERE round = 100")
        meta.insert(database, "head", meta.Mark(99, shorter).pack())

    assert rewritten(run, cut) == shorter != noted
