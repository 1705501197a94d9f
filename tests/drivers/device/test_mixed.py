"""One truth: torch and ONNX clients in one federation hold the same weights after every round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch.nn.functional import cross_entropy

from baffle.backends.onnx import ArrayExamples, Manifest, OnnxProbe
from baffle.backends.onnx.sessions import Sessions
from baffle.config import fleet_settings, resolve
from baffle.directions import Place, Points, make_kind
from baffle.drivers.device.backing import OnnxBacking, own_copy
from baffle.drivers.export import export
from baffle.drivers.fleet.run import open_run
from baffle.drivers.fleet.task import backing_of, server_task
from baffle.drivers.http.listener import Tls
from baffle.drivers.http.serve import Watching
from baffle.drivers.local.metrics import read_metrics
from baffle.drivers.local.task import task_of
from baffle.ledger import Ledger
from baffle.ledger.replay import states
from baffle.models.prune import by_magnitude
from tests.drivers.fleet.loopback import CLIENTS, CONFIG, Loopback, opened, served
from tests.drivers.http.live import HOST, Device, roster_of, serve
from tests.drivers.http.scripted import certificates

ONNX = (1, 2)  # clients without torch
WITHIN = 1e-5  # of 1 + |loss|


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed") / "model"
    task = task_of(resolve(CONFIG))
    export(task.model, task.loss, task.train.batch(np.arange(8)), folder, (8,), 5)
    return folder


def backings(model, folder):
    """Return client's number and genesis to its backing, by torch or by ONNX Runtime."""

    def make(number, genesis):
        torch = backing_of(genesis, number, None, None, {}, cross_entropy)
        if number not in ONNX:
            return torch
        manifest = Manifest.read(model)
        sessions = Sessions(own_copy(model, folder / f"device-{number}", manifest), manifest)
        arrays = [
            arrays_of(task, rows)
            for task, rows in (
                (torch.task.train, torch.task.rows[0]),
                (torch.task.test, torch.held_out),
            )
        ]
        return OnnxBacking(OnnxProbe(sessions, arrays[0]), arrays[1])

    return make


def arrays_of(examples, rows):
    x, y = examples.batch(np.asarray(rows))
    return ArrayExamples({"input": x.numpy(), "target": y.numpy()})


class Mixed(Loopback):
    """Some clients by torch, some by ONNX Runtime."""

    def __init__(self, folder, make):
        super().__init__(folder)
        for number, client in enumerate(self.clients.values()):
            client._make = lambda genesis, number=number: make(number, genesis)


@pytest.fixture(scope="module")
def ended(tmp_path_factory, model):
    """The network and what was told, after the last round."""
    folder = tmp_path_factory.mktemp("ended")
    network = Mixed(folder, backings(model, folder))
    done, told = served(opened(folder, evaluate_every=2), network)
    assert done
    return network, told


def test_a_mixed_federation_ends_with_the_same_bits_everywhere(ended):
    network, told = ended
    assert len(told.rows) == CONFIG["rounds"]
    final = bytes.fromhex(told.rows[-1]["digest"])
    for client in network.clients.values():
        assert client.done
        assert client._replica.hashed().digest == final  # after a comparison in every round
    assert [row["reports"] for row in told.rows] == [3] * CONFIG["rounds"]
    assert told.rows[2]["client_accuracy"] == pytest.approx(told.rows[1]["test_accuracy"])


MASKED = CONFIG | {"probe": {**CONFIG["probe"], "directions": "masked"}}
WAITS = {"gather": 0.0, "deadline": 10.0, "remind": 0.0, "farewell": 5.0}


def pruned_task(settings):
    task = server_task(settings, None, None, cross_entropy)
    return replace(task, model=by_magnitude(task.model, 0.6))


def test_a_pruned_model_keeps_its_zeros_in_every_round_with_and_without_torch(tmp_path, model):
    network = Mixed(tmp_path, backings(model, tmp_path))  # the same export: it holds any weights
    run = open_run(resolve(MASKED), fleet_settings(WAITS), pruned_task, tmp_path / "run")
    done, told = served(run, network)
    assert done
    final = bytes.fromhex(told.rows[-1]["digest"])
    assert [row["reports"] for row in told.rows] == [CLIENTS] * MASKED["rounds"]
    assert {c._replica.hashed().digest for c in network.clients.values()} == {final}
    with Ledger.open(tmp_path / "run") as ledger:
        after = [dict(found.state.weights) for found in states(ledger, since=0)]
    assert len(after) == MASKED["rounds"] + 1
    for name, first in after[0].items():
        for now in after[1:]:
            assert not np.array_equal(now[name], first)
            if first.ndim >= 2:
                np.testing.assert_array_equal(now[name] == 0, first == 0)
        if first.ndim >= 2:
            assert 0.59 < (first == 0).mean() < 0.61
    onnx = network.clients[101]._backing.probe.sessions._open
    assert {"open.onnx"} <= set(onnx) <= {"open.onnx", "plain.onnx"}  # no pass with factors


def test_both_find_the_same_losses_but_for_rounding(ended):
    client = ended[0].clients[101]
    genesis, weights = client._replica.genesis, client._replica.state.weights
    onnx = client._backing
    torch = backing_of(genesis, 1, None, None, {}, cross_entropy)
    signs = np.resize(np.array([1, -1, 0], np.int8), 23)
    trained = len(genesis.signature.trained)
    asked = Points(
        Place(1, 4),
        make_kind("rank_one", 1),
        (-7,) * trained,
        np.arange(23, dtype=np.uint32),
        signs,
    )
    numbers = np.arange(min(13, onnx.examples))
    found, known = (b.probe(weights, asked, numbers) for b in (onnx, torch))
    assert (np.abs(found - known) <= WITHIN * (1 + np.abs(known))).all()
    assert not np.array_equal(found, np.zeros_like(found))


@pytest.mark.slow
def test_the_same_over_https(tmp_path, model):
    make, devices = backings(model, tmp_path), []
    ca, certificate, key = certificates(tmp_path)
    tokens = [roster_of(tmp_path / "run").issue(None) for _ in range(CLIENTS)]

    def listening(port):
        for number, token in enumerate(tokens):
            url = f"https://{HOST}:{port}"
            device = Device(tmp_path / "devices", number, url, token.text, ca=ca)
            device.client._make = lambda genesis, number=number: make(number, genesis)
            devices.append(device)
            device.start()

    config = CONFIG | {"rounds": 3}
    watching = Watching(listening=listening)
    assert serve(tmp_path / "run", 0, config, watching, tls=Tls(certificate, key)).done
    for device in devices:
        device.join(10)
    rows = read_metrics(tmp_path / "run")
    assert [row["reports"] for row in rows] == [CLIENTS] * 3
    assert rows[-1]["faults"] == {}
    assert {device.digest for device in devices} == {rows[-1]["digest"]}
    kinds = [type(device.client._backing).__name__ for device in devices]
    assert kinds == ["TorchBacking", "OnnxBacking", "OnnxBacking"]
