"""One byte of the database file changed, anywhere: an error of ours, or the same content."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import LedgerError
from baffle.ledger import Ledger

SIZE = 1 << 20


def content(ledger: Ledger) -> tuple[object, ...]:
    states = tuple(ledger.load(round).digest() for round in ledger.snapshots)
    return ledger.genesis, ledger.verify(), tuple(ledger.rows()), ledger.snapshots, states


def outcome(run: Path, write: bool) -> tuple[object, ...] | None:
    """Return the content, or None where an error of ours says that there is none to trust."""
    try:
        with Ledger.open(run, write) as ledger:
            return content(ledger)
    except LedgerError:
        return None


@settings(max_examples=250)
@given(at=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), write=st.booleans())
def test_never_a_traceback_and_never_other_content(sample, at, mask, write):
    expected = outcome(sample, write=False)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(sample, Path(folder) / "run"))
        path = run / "ledger.sqlite"
        raw = bytearray(path.read_bytes())
        raw[int(at * len(raw))] ^= mask
        path.write_bytes(raw)
        assert outcome(run, write) in (None, expected)


@settings(max_examples=100)
@given(at=st.integers(0, 120), mask=st.integers(1, 255), write=st.booleans())
def test_never_in_the_header_either(sample, at, mask, write):
    expected = outcome(sample, write=False)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(sample, Path(folder) / "run"))
        path = run / "ledger.sqlite"
        raw = bytearray(path.read_bytes())
        raw[at] ^= mask
        path.write_bytes(raw)
        assert outcome(run, write) in (None, expected)
