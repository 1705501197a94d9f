"""SIGKILL at random moments, then resume: the digests of a run that was never killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.session import resume
from baffle.drivers.local.task import task_of
from tests.drivers.small import FULL, begin, digests, finished

ROUNDS = 24
SECTIONS = {
    **FULL,
    "rounds": ROUNDS,
    "federation": {"dropout": 0.2, "slow": 0.2},
    "output": {"evaluate_every": 0, "snapshot_every": 7},
}
CHILD = """
import sys
from pathlib import Path
from baffle.drivers.local.session import resume
from baffle.drivers.local.task import task_of
session = resume(Path(sys.argv[1]), task_of)
print("ready", flush=True)
session.run()
session.close()
"""
TOTALS = ("round", "bytes_up", "bytes_down", "probes", "example_evaluations", "digest", "late")


def kill_and_resume(folder, kills, seed):
    chance = random.Random(seed)
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0, 0.12))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    session = resume(folder, task_of)
    session.run()
    session.close()


def check(tmp_path, kills, seed):
    expected = finished(tmp_path / "whole", SECTIONS)
    begin(tmp_path / "broken", SECTIONS).close()
    kill_and_resume(tmp_path / "broken", kills, seed)
    assert digests(tmp_path / "broken") == expected
    whole, broken = (read_metrics(tmp_path / name) for name in ("whole", "broken"))
    assert [{k: row[k] for k in TOTALS} for row in broken] == [
        {k: row[k] for k in TOTALS} for row in whole
    ]


@pytest.mark.slow
def test_a_kill(tmp_path):
    check(tmp_path, 1, seed=1)


@pytest.mark.slow
def test_twenty_kills(tmp_path):
    check(tmp_path, 20, seed=2)


@pytest.mark.slow
def test_ctrl_c_ends_at_a_rounds_border_with_a_resumable_run(tmp_path):
    command = [sys.executable, "-m", "baffle.cli", "run", "--json", "--out", str(tmp_path / "run")]
    command += ["--rounds", "4000", "-K", "16", "--batch", "4", "--step-size", "0.05"]
    command += ["--set", "engine.chunk=16", "--set", "engine.threads=1"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run" / "metrics.jsonl").exists() or not read_metrics(tmp_path / "run"):
        time.sleep(0.05)
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert "Traceback" not in err
    assert "baffle resume" in err
    value = json.loads(out.splitlines()[-1])
    assert 0 < value["rounds"] < 4000
    session = resume(tmp_path / "run", task_of)
    assert session.state.round == value["rounds"] == len(session.log.rows)
    session.close()
