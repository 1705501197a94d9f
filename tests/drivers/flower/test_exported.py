"""Nodes without torch beside one that has it, under Flower: one truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from baffle.drivers.flower.exported import lies_on_disk, place_of
from baffle.drivers.flower.handler import maker_of
from baffle.errors import ConfigError
from tests.backends.onnx.test_manifest import folder_like_an_exported_one
from tests.drivers.flower.test_apps import APP, digests, federation

ONNX = (1, 2)  # nodes without torch
WITHIN = 1e-5  # of 1 + |loss|
MISSING = 'raise ModuleNotFoundError("no torch at this node", name="torch")\n'


@pytest.fixture(scope="module")
def task():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(APP))
        for name in [n for n in sys.modules if n.split(".")[0] == "digits"]:
            patch.delitem(sys.modules, name)
        from digits import task

        yield task


def exported(task, folder, number):
    """Write what a node without torch gets; returns its configuration."""
    from torch.nn.functional import cross_entropy

    from baffle.drivers.export import export

    model, data = folder / "model", folder / f"data-{number}"
    train, held_out = task.make_data({"partition-id": number})
    if not model.exists():
        export(task.make_model(), cross_entropy, (train[0][:8], train[1][:8]), model, (8,), 5)
    for at, pair in ((data, train), (data / "test", held_out)):
        at.mkdir()
        for name, array in zip(("input", "target"), pair, strict=True):
            np.save(at / f"{name}.npy", array.numpy())
    return {"exported-model": str(model), "data-dir": str(data)}


def loads_torch(process):
    """Say whether a process has torch's library in its memory; one that has ended has not."""
    try:
        return b"libtorch" in Path(f"/proc/{process.pid}/maps").read_bytes()
    except OSError:
        return False


@pytest.mark.flower
@pytest.mark.slow
def test_a_real_fleet_of_nodes_with_and_without_torch(tmp_path, task):
    from tools.fleet import Deployment, processes
    from tools.fleet.demo import Fleet, app_config, node_configs

    nodes = node_configs(tmp_path)
    nodes = [
        node | (exported(task, tmp_path, n) if n in ONNX else {}) for n, node in enumerate(nodes)
    ]
    rounds, said = 3, []
    with Deployment(tmp_path, nodes) as deployment:
        config = app_config(rounds, tmp_path, tmp_path / "run")
        fleet = Fleet(deployment, tmp_path / "run", config, said.append)
        fleet.start()
        rows = fleet.follow(rounds, [])
        alive = {n: processes.find(deployment.mark, f"node-{n}") for n in range(3)}
        torch = {n: any(map(loads_torch, found)) for n, found in alive.items()}
        assert deployment.wait(fleet.run, 120).completed
        models = {n: held(tmp_path, n).hashed().digest.hex() for n in range(3)}
    assert torch == {0: True, 1: False, 2: False}
    assert [row["reports"] for row in rows] == [3] * rounds
    assert set(models.values()) == {digests(rows)[-1]}


def held(folder, number):
    """Return the copy that a node's client keeps on its disk."""
    from baffle.fleet import FolderStore

    (run,) = (f for f in (folder / f"state-{number}").iterdir() if (f / "genesis.json").exists())
    replica, _ = FolderStore(run.parent).load(bytes.fromhex(run.name))
    return replica


@pytest.mark.flower
def test_nodes_with_and_without_torch_hold_the_same_bits(tmp_path, task, monkeypatch):
    from baffle.drivers.worker.call import stop
    from baffle.flower import client_app, server_app

    nodes = {number: exported(task, tmp_path, number) for number in ONNX}
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(MISSING)
    monkeypatch.syspath_prepend(str(tmp_path))  # no process that starts from here on has torch
    # Functions without a name are called here, where torch is; no exported model calls any.
    client = client_app(lambda: task.make_model(), lambda node: task.make_data(node))
    server = server_app(make_model=task.make_model, test=task.test_data)
    try:
        rows = federation(tmp_path, server, client, nodes, **{"fleet.process": "auto"})
        logs = [(tmp_path / f"state-{n}" / "worker" / "worker.log").read_text() for n in ONNX]
    finally:
        for number in ONNX:
            stop(tmp_path / f"state-{number}" / "worker")
    assert [row["reports"] for row in rows] == [3] * 4
    assert rows[-1]["faults"] == {}
    assert {held(tmp_path, n).hashed().digest.hex() for n in range(3)} == {digests(rows)[-1]}
    assert all("8 points at once" in log for log in logs)
    assert not (tmp_path / "state-0" / "worker").exists()
    same_losses(task, tmp_path, nodes)


def same_losses(task, folder, nodes):
    """Compare both backends on one node's examples, at the weights that the run ended with."""
    from torch.nn.functional import cross_entropy

    from baffle.directions import Place, Points, make_kind
    from baffle.drivers.fleet.task import backing_of

    replica = held(folder, 1)
    genesis, weights = replica.genesis, replica.state.weights
    options = {"node_config": nodes[1], "folder": str(folder / "state-1")}
    onnx = maker_of(options)(genesis)
    torch = backing_of(
        genesis, 1, task.make_model, task.make_data, {"partition-id": 1}, cross_entropy
    )
    radii = (-7,) * len(genesis.signature.trained)
    signs = np.resize(np.array([1, -1, 0], np.int8), 23)
    counted = np.arange(23, dtype=np.uint32)
    asked = Points(Place(1, 4), make_kind("rank_one", 1), radii, counted, signs)
    numbers = np.arange(13)
    found, known = (b.probe(weights, asked, numbers) for b in (onnx, torch))
    assert (np.abs(found - known) <= WITHIN * (1 + np.abs(known))).all()
    assert np.ptp(known) > 100 * WITHIN


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"exported-model": "/model"}, "data-dir: expected a text, got ''"),
        ({"exported-model": True, "data-dir": "/data"}, "exported-model: expected a text"),
        ({"exported-model": "/m", "data-dir": "/d", "memory": "90"}, "memory: expected a number"),
        ({"exported-model": "/m", "data-dir": "/d", "threads": 1.5}, "threads: expected a number"),
    ],
)
def test_a_configuration_that_is_none_is_one_sentence(tmp_path, node, says):
    with pytest.raises(ConfigError, match=says):
        place_of(node, tmp_path)


def test_a_node_says_how_its_model_is_run(tmp_path):
    node = {"exported-model": "/m", "data-dir": "/d", "memory": 90, "threads": 2, "provider": "X"}
    found = place_of(node, tmp_path)
    assert (str(found.model), str(found.data), found.state) == ("/m", "/d", tmp_path)
    assert (found.memory, found.threads, found.provider) == (90.0, 2, "X")


def test_a_node_without_torch_and_without_a_model_is_told_what_it_needs(monkeypatch):
    monkeypatch.setattr("baffle.drivers.flower.handler.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="torch is not installed at this node"):
        maker_of({"node_config": {}})(None)


def test_a_node_s_state_lies_on_disk_where_its_memory_wants_it(tmp_path):
    model = folder_like_an_exported_one(tmp_path / "model")
    node = {"exported-model": str(model), "data-dir": str(tmp_path)}
    assert not lies_on_disk(node, tmp_path)
    assert not lies_on_disk(node | {"memory": 10_000}, tmp_path)
    assert lies_on_disk(node | {"memory": 1}, tmp_path)
    # What is none is told when an ask comes, and a node with torch keeps its state in memory.
    assert not lies_on_disk(node | {"memory": 1, "exported-model": "/no/model"}, tmp_path)
    assert not lies_on_disk({"memory": 1}, tmp_path)
