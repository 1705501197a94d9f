"""A real deployment: rounds, kills, restarts, and nothing left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.fleet import Deployment, processes
from tools.fleet.echo import APP, measure
from tools.fleet.flower import FlowerFailed

pytestmark = [pytest.mark.flower, pytest.mark.slow]

QUICK = {"FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1"}
ROOT = Path(__file__).resolve().parents[2]


def test_rounds_kills_and_restarts(tmp_path):
    with Deployment(tmp_path, 2, environment=QUICK) as fleet:
        ids = [fleet.node_id(index) for index in range(2)]
        assert ids == fleet.registered
        assert measure(fleet, {"rounds": 2}, 120)["bytes"]["messages_up"] == 4

        assert fleet.kill_node(0) >= 2  # the SuperNode and its SuperExec
        fleet.sign_off(0)
        fleet.start_node(0)
        assert fleet.node_id(0) == ids[0]

        run = fleet.run(APP, {"nodes": 3, "deadline": 600.0})  # waits for a third node
        until = time.monotonic() + 60
        while fleet.state(run).status != "running":
            assert time.monotonic() < until
            time.sleep(0.2)
        assert fleet.kill_server_app() == 1
        assert not fleet.state(run).over  # Flower has not noticed

        assert fleet.kill_superlink() >= 2
        fleet.start_superlink()
        again = measure(fleet, {"rounds": 1}, 180)
        assert again["bytes"]["messages_up"] == 2
        assert [fleet.node_id(index) for index in range(2)] == ids

        failed = fleet.wait(fleet.run(APP, {"nodes": 9, "deadline": 0.5}), 120)
        assert failed.status == "finished:failed"
        assert "2 of 9 nodes" in failed.details
    assert fleet.alive() == []


def test_nothing_is_left_when_starting_fails(tmp_path, monkeypatch):
    def broken(self, index):
        raise FlowerFailed("no")

    monkeypatch.setattr(Deployment, "_register", broken)
    fleet = Deployment(tmp_path, 1)
    with pytest.raises(FlowerFailed, match="no"), fleet:
        pass
    assert fleet.alive() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_signal(tmp_path, number):
    command = [sys.executable, "-m", "tools.fleet", "up", "--nodes", "1", "--folder", tmp_path]
    tool = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ)
    try:
        assert tool.stdout.readline().startswith(b"SuperLink at")
        mark = (tmp_path / "mark").read_text()
        assert len(processes.find(mark)) >= 4
        tool.send_signal(number)
        assert tool.wait(30) == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
        assert processes.find(mark) == []
    finally:
        tool.kill()
        tool.stdout.close()
        tool.wait()
