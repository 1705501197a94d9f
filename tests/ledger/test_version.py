"""Folders of format 1 stay readable, and other formats say what to do."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from baffle.errors import LedgerTampered, LedgerVersion
from baffle.ledger import Ledger, Row
from baffle.ledger.chain import number
from baffle.ledger.meta import insert
from baffle.updates.state import TrainState

FORMAT_1 = json.loads(Path(__file__).with_name("format_1.json").read_text())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run of format 1, made of stored SQL and bytes and of nothing in this package."""
    (tmp_path / "snapshots").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        database.executescript("\n".join(FORMAT_1["sql"]))
    for name, content in FORMAT_1["snapshots"].items():
        (tmp_path / "snapshots" / name).write_bytes(bytes.fromhex(content))
    return tmp_path


def state_of(round: int) -> TrainState:
    return TrainState(round, {"weights": {"w": np.float32([round, 0.25])}}, updates=round)


def rows() -> list[Row]:
    return [Row(r, b"plan", b"\0\xff", b"", state_of(r).digest()) for r in (1, 2, 3)]


@pytest.mark.parametrize("write", [False, True])
def test_format_1_is_read(old, write):
    with Ledger.open(old, write) as ledger:
        assert ledger.verify().hex() == FORMAT_1["head"]
        assert ledger.genesis == b"genesis \0\xff"
        assert list(ledger.rows()) == rows()
        assert ledger.snapshots == (0, 2)
        assert ledger.load(2).digest() == state_of(2).digest()


def test_format_1_is_what_is_written(old, tmp_path):
    with Ledger.create(tmp_path / "new", b"genesis \0\xff") as ledger:
        ledger.save(state_of(0))
        for row in rows():
            ledger.append(row)
        ledger.save(state_of(2))
    assert dump(tmp_path / "new") == dump(old) == FORMAT_1


def dump(run: Path) -> dict[str, object]:
    """Return what `format_1.json` holds."""
    with contextlib.closing(sqlite3.connect(run / "ledger.db")) as database:
        sql = [*pragmas(database), *statements(database)]
        (head,) = database.execute("SELECT link FROM rounds ORDER BY round DESC").fetchone()
    files = sorted((run / "snapshots").iterdir())
    snapshots = {file.name: file.read_bytes().hex() for file in files}
    return {"head": head.hex(), "sql": sql, "snapshots": snapshots}


def pragmas(database: sqlite3.Connection) -> Iterator[str]:
    for name in ("application_id", "user_version"):
        yield f"PRAGMA {name} = {database.execute(f'PRAGMA {name}').fetchone()[0]};"


def statements(database: sqlite3.Connection) -> Iterator[str]:
    for table, sql in database.execute("SELECT name, sql FROM sqlite_master ORDER BY name"):
        yield f"{sql};"
        columns = [column for _, column, *_ in database.execute(f"PRAGMA table_info({table})")]
        quoted = " || ',' || ".join(f"quote({column})" for column in columns)
        for (values,) in database.execute(f"SELECT {quoted} FROM {table} ORDER BY 1"):
            yield f"INSERT INTO {table} VALUES ({values});"


@pytest.mark.parametrize(("version", "advice"), [(2, "upgrade baffle"), (0, "release of baffle")])
@pytest.mark.parametrize("write", [False, True])
def test_another_version(run, version, advice, write):
    with contextlib.closing(sqlite3.connect(run / "ledger.db")) as database, database:
        database.execute(f"PRAGMA user_version = {version}")
        insert(database, "format", number(version))
    for _ in range(2):  # and the lock is free again
        with pytest.raises(
            LedgerVersion, match=f"has ledger format {version} .*format 1; .*{advice}"
        ):
            Ledger.open(run, write)


def test_another_version_with_other_tables(run):
    with contextlib.closing(sqlite3.connect(run / "ledger.db")) as database:
        database.executescript("PRAGMA user_version = 7; DROP TABLE meta; DROP TABLE rounds;")
    with pytest.raises(LedgerVersion, match="has ledger format 7"):
        Ledger.open(run)


@pytest.mark.parametrize("changed", ["header", "meta"])
def test_a_version_changed_in_one_place_is_tampering(run, changed):
    with contextlib.closing(sqlite3.connect(run / "ledger.db")) as database, database:
        if changed == "header":
            database.execute("PRAGMA user_version = 2")
        else:
            insert(database, "format", number(2))
    with pytest.raises(LedgerTampered) as caught:
        Ledger.open(run)
    assert caught.value.round == 0
