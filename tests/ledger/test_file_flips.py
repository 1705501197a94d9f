"""One byte of the database file changed, anywhere: an error of ours, or the same content."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from baffle.errors import LedgerError
from baffle.ledger import Ledger


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


def flipped(sample: Path, at: float, mask: int, write: bool) -> tuple[object, ...] | None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(shutil.copytree(sample, Path(folder) / "run"))
        path = run / "ledger.sqlite"
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
    size = (sample / "ledger.sqlite").stat().st_size
    assert flipped(sample, (at + 0.5) / size, mask, write) in (None, outcome(sample, write=False))
