"""Whole rounds of a device's own process: it follows every digest, and has no torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from baffle.bench.device.server import serve
from baffle.config import resolve
from baffle.drivers.device.command import LOCK, main
from baffle.drivers.export import export
from baffle.drivers.fleet.task import ServerTask
from baffle.drivers.worker.locks import FileLock
from baffle.models.prune import by_magnitude

SETTINGS = {
    "rounds": 3,
    "data": {"name": "own", "partition": "own", "partition_options": {}},
    "model": {"name": "own"},
    "federation": {"clients": 1, "participation": 1.0},
    "probe": {"num_directions": 13, "batch": 3, "candidates": 5},
    "update": {"step_size": 0.01},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.manual_seed(0)
    parent = tmp_path_factory.mktemp("device")
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Tanh(), nn.Linear(12, 3))
    x, y = torch.randn(13, 1, 4, 4), torch.randint(3, (13,))
    export(module, nn.functional.cross_entropy, (x, y), parent / "model", (4,), 2)
    (parent / "data").mkdir()
    np.save(parent / "data" / "input.npy", x.numpy())
    np.save(parent / "data" / "target.npy", y.numpy())
    return module, parent / "model", parent / "data"


@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_device_follows_every_round_without_torch(made, steps):
    module, model, data = made
    settings = resolve(SETTINGS, {"probe": {"num_local_steps": steps}})
    task = ServerTask(module, nn.functional.cross_entropy, None)
    found = serve(settings, task, model, data, memory=0.0)
    assert found["done"]  # it held the state, whose digest each plan named, after the last round
    assert found["loaded"] == []
    assert found["points"] == 4


def test_a_pruned_model_is_followed_in_little_memory(made):
    module, model, data = made
    settings = resolve(SETTINGS, {"probe": {"directions": "masked"}})
    pruned = by_magnitude(module, 0.5)
    task = ServerTask(pruned, nn.functional.cross_entropy, None)
    found = serve(settings, task, model, data, memory=200.0)
    assert found["done"]
    assert found["peak_mib"] < 200.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "/no/model"], "as `baffle export` makes it"),
        (["--demand", "min-group"], "--demand wants NAME=VALUE"),
        (["--memory", "1"], "expected a memory budget of"),
        (["--client", "0"], "expected --token FILE"),
    ],
)
def test_what_does_not_fit_is_one_sentence(made, tmp_path, capsys, arguments, says):
    _, model, data = made
    given = {"--model": str(model), "--data": str(data), "--state": str(tmp_path)}
    given |= {"--server": "http://127.0.0.1:1"} | dict([arguments])
    assert main([word for pair in given.items() for word in pair]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_is_one_process_s_at_a_time(made, tmp_path, capsys):
    _, model, data = made
    held = FileLock(tmp_path / LOCK)
    assert held.take()
    given = {"--model": model, "--data": data, "--state": tmp_path, "--server": "http://[::1]:1"}
    assert main([str(word) for pair in given.items() for word in pair]) == 2
    assert "in use by another device's process" in capsys.readouterr().err
    held.release()
