"""Killed at any moment: the next start finds what was acknowledged and nothing to clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from baffle.errors import LedgerLocked
from baffle.ledger import Ledger, Row

APPEND = """
import sys
import numpy as np
from baffle.ledger import Ledger, Row
from baffle.updates.state import TrainState

with Ledger.open(sys.argv[1], write=True) as ledger:
    for round in range(ledger.last_round + 1, 10**6):
        state = TrainState(round, {"weights": {"w": np.full(50, round, np.float32)}})
        ledger.append(Row(round, b"%d" % round, b"x" * 3000, b"", state.digest()))
        print(round, flush=True)
        if round % 7 == 0:
            ledger.save(state)
"""


def killed_after(folder: Path, rounds: int) -> int:
    """Let a process append, kill it some time after `rounds` more; return the last acknowledged."""
    command = [sys.executable, "-c", APPEND, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        spoken = b"".join(process.stdout.readline() for _ in range(rounds))
        process.send_signal(signal.SIGKILL)
        spoken += process.stdout.read()
    return int(spoken.split(b"\n")[-2])  # what follows the last line break is half a number


def test_sigkill_in_the_middle_of_appends(tmp_path):
    Ledger.create(tmp_path, b"genesis").close()
    for rounds in (1, 40, 90, 161):
        acknowledged = killed_after(tmp_path, rounds)
        with Ledger.open(tmp_path, write=True) as ledger:
            ledger.verify()
            # A round may be stored whose acknowledgement was not yet spoken, but only one.
            assert acknowledged <= ledger.last_round <= acknowledged + 1
            plans = [row.plan for row in ledger.rows()]
            assert plans == [b"%d" % r for r in range(1, ledger.last_round + 1)]
            assert all(ledger.load(round).round == round for round in ledger.snapshots)
    assert acknowledged >= 1 + 40 + 90 + 161


def test_sigkill_while_creating(tmp_path):
    code = (
        "import os, signal, sys; from baffle.ledger import Ledger, database; "
        "database.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        "Ledger.create(sys.argv[1], b'first')"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    assert found.returncode == -signal.SIGKILL
    assert not (tmp_path / "ledger.db").exists()
    with Ledger.create(tmp_path, b"second") as ledger:
        assert ledger.genesis == b"second"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger.db", "lock"]


HOLD = """
import sys, time
from baffle.ledger import Ledger
ledger = Ledger.open(sys.argv[1], write=True)
print("held", flush=True)
time.sleep(60)
"""


def test_the_lock_of_another_process_dies_with_it(run):
    with subprocess.Popen([sys.executable, "-c", HOLD, run], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(LedgerLocked, match=f"process {process.pid} is writing"):
            Ledger.open(run, write=True)
        Ledger.open(run).close()
        process.kill()
    Ledger.open(run, write=True).close()


FORK = """
import os, sys, time
from baffle.ledger import Ledger
ledger = Ledger.open(sys.argv[1], write=True)
if os.fork() == 0:
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_a_forked_worker_that_outlives_the_writer_holds_nothing(run):
    with subprocess.Popen([sys.executable, "-c", FORK, run], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        try:
            with pytest.raises(LedgerLocked, match=f"process {process.pid} is writing"):
                Ledger.open(run, write=True)
            process.kill()
            process.wait()
            os.kill(worker, 0)  # still there
            Ledger.open(run, write=True).close()
        finally:
            os.kill(worker, signal.SIGKILL)


def test_an_interrupt_inside_append_leaves_the_ledger_usable(run, row_of, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with Ledger.open(run, write=True) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("baffle.ledger.meta.insert", interrupt)
            with pytest.raises(KeyboardInterrupt):
                ledger.append(Row(101, b"other", b"", b"", bytes(32)))
        assert ledger.last_round == 100
        ledger.append(row_of(101))
        ledger.verify()
