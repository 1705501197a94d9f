"""One byte of the database file changed, anywhere: an error of ours, or the same content."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import LedgerError
from baffle.ledger import Ledger, Row

RowOf = Callable[[int], Row]
Content = tuple[bytes, bytes, tuple[Row, ...], tuple[int, ...], tuple[bytes, ...]]


def content(ledger: Ledger) -> Content:
    states = tuple(ledger.load(round).digest() for round in ledger.snapshots)
    return ledger.genesis, ledger.verify(), tuple(ledger.rows()), ledger.snapshots, states


def outcome(run: Path, write: bool) -> Content | None:
    """Return the content, or None where an error of ours says that there is none to trust."""
    try:
        with Ledger.open(run, write) as ledger:
            return content(ledger)
    except LedgerError:
        return None


def flipped(
    sample: Path, at: float, mask: int, write: bool, file: str = "ledger.db"
) -> Content | None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(sample, Path(folder) / "run"))
        path = run / file
        raw = bytearray(path.read_bytes())
        raw[int(at * len(raw))] ^= mask
        path.write_bytes(raw)
        return outcome(run, write)


places = st.floats(0, 1, exclude_max=True)
masks = st.integers(1, 255)


@settings(max_examples=150, deadline=None)
@given(at=places, mask=masks, write=st.booleans())
def test_never_a_traceback_and_never_other_content(sample, at, mask, write):
    assert flipped(sample, at, mask, write) in (None, outcome(sample, write=False))


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 120), mask=masks, write=st.booleans())
def test_never_in_the_header_either(sample, at, mask, write):
    size = (sample / "ledger.db").stat().st_size
    assert flipped(sample, (at + 0.5) / size, mask, write) in (None, outcome(sample, write=False))


@pytest.fixture(scope="module")
def unclean(sample: Path, row_of: RowOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as a killed writer leaves it: the last rounds stand in the write-ahead log only."""
    run, copy = (tmp_path_factory.mktemp("unclean") / name for name in ("run", "copy"))
    shutil.copytree(sample, run)
    with Ledger.open(run, write=True) as ledger:
        for round in range(101, 121):
            ledger.append(row_of(round))
        shutil.copytree(run, copy)
    return copy


@settings(max_examples=60, deadline=None)
@given(at=places, mask=masks, write=st.booleans())
def test_a_write_ahead_log_loses_its_tail_at_most(unclean, row_of, at, mask, write):
    """SQLite ends the log at the first frame that does not fit its checksum."""
    found = flipped(unclean, at, mask, write, "ledger.db-wal")
    assert found is not None
    rows = found[2]
    assert rows == tuple(row_of(round) for round in range(1, len(rows) + 1))
    assert 100 <= len(rows) <= 120
