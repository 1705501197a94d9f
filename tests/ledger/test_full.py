"""A full disk: nothing is acknowledged, what was stored stays, and work goes on with room."""

from __future__ import annotations

import subprocess
import sys

import pytest

from baffle.errors import LedgerFull
from baffle.ledger import Ledger, Row


def test_a_full_database_refuses_a_round_and_takes_it_later(run, row_of):
    big = Row(101, b"", b"x" * 200_000, b"", bytes(32))
    with Ledger.open(run, write=True) as ledger:
        head = ledger.verify()
        ledger._database.execute("PRAGMA max_page_count = 30")
        for _ in range(3):
            with pytest.raises(LedgerFull, match="free some space and resume"):
                ledger.append(big)
            assert ledger.last_round == 100
            assert ledger.verify() == head
        with Ledger.open(run) as reader:
            assert list(reader.rows()) == [row_of(r) for r in range(1, 101)]
        ledger._database.execute("PRAGMA max_page_count = 1000000")
        ledger.append(big)
    with Ledger.open(run) as reader:
        assert list(reader.rows(101)) == [big]
        reader.verify()


UNTIL_FULL = """
import resource, sys
from baffle.errors import LedgerFull
from baffle.ledger import Ledger, Row

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
stored = 0
try:
    with Ledger.create(sys.argv[1], b"genesis") as ledger:
        for round in range(1, 1000):
            ledger.append(Row(round, b"", b"x" * 1000, b"", bytes(32)))
            stored = round
except LedgerFull:
    print(stored)
"""


@pytest.mark.parametrize("limit", [20_000, 100_000, 300_000])
def test_a_file_system_that_takes_no_more(tmp_path, limit):
    """The kernel refuses to let any file grow: log, database or shared memory."""
    arguments = [sys.executable, "-W", "error", "-c", UNTIL_FULL, tmp_path / "run", str(limit)]
    found = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert found.stderr == ""
    stored = int(found.stdout)
    if stored == 0 and not (tmp_path / "run" / "ledger.db").exists():
        Ledger.create(tmp_path / "run", b"genesis").close()
    with Ledger.open(tmp_path / "run", write=True) as ledger:
        assert ledger.last_round == stored
        ledger.verify()
        ledger.append(Row(stored + 1, b"", b"y", b"", bytes(32)))
        ledger.verify()
