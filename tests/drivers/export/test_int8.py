"""An int8 model's exported pass: a runtime's own int8 kernels, and torch's losses."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.onnx import ArrayExamples, Manifest, OnnxProbe
from baffle.backends.onnx.sessions import Sessions
from baffle.backends.torch import TorchProbe, initial_weights
from baffle.bench.device.server import serve
from baffle.config import resolve
from baffle.drivers.export import export
from baffle.drivers.fleet.task import ServerTask
from baffle.drivers.local.task import TensorExamples
from baffle.errors import ProbeError
from baffle.int8 import to_int8
from tests.drivers.device.test_round import SETTINGS
from tests.int8.test_arithmetic import points

ROWS = 13


def exported(folder, trained="weights"):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6), nn.Linear(6, 3)
    )
    x, y = torch.randn(ROWS, 1, 4, 4), torch.randint(3, (ROWS,))
    module = to_int8(net, [x], trained)
    export(module, functional.cross_entropy, (x, y), folder / "model", (4,), 2)
    return module, x, y


def test_the_kernels_are_int8_and_losses_are_torchs(tmp_path):
    module, x, y = exported(tmp_path)
    graph = onnx.load(tmp_path / "model" / "pass-4.onnx", load_external_data=False).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert (kinds["ConvInteger"], kinds["MatMulInteger"], kinds["QuantizeLinear"]) == (1, 2, 3)
    sessions = Sessions(tmp_path / "model", Manifest.read(tmp_path / "model"))
    arrays = ArrayExamples({"input": x.numpy(), "target": y.numpy()})
    slow = TorchProbe(module, functional.cross_entropy, TensorExamples(x, y), route="one_by_one")
    weights, numbers = initial_weights(module), np.arange(ROWS)
    for kind in ("rank_one", "rademacher"):
        asked = points(module, kind)
        found = OnnxProbe(sessions, arrays)(weights, asked, numbers)
        np.testing.assert_allclose(found, slow(weights, asked, numbers), atol=2e-6)
    for kind, exponent in (("rank_one", -8), ("rademacher", -6), ("gaussian", -7)):
        with pytest.raises(ProbeError, match=rf"int8 weights 0\.int8, got {kind} ones"):
            OnnxProbe(sessions, arrays)(weights, points(module, kind, exponent), numbers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trained", "rounding"),
    [("weights", "nearest"), ("weights", "stochastic"), ("gains", "nearest")],
)
def test_a_device_trains_an_int8_model_without_torch(tmp_path, trained, rounding):
    module, x, y = exported(tmp_path, trained)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "input.npy", x.numpy())
    np.save(tmp_path / "data" / "target.npy", y.numpy())
    settings = resolve(SETTINGS, {"update": {"rounding": rounding}})
    task = ServerTask(module, functional.cross_entropy, None)
    found = serve(settings, task, tmp_path / "model", tmp_path / "data", memory=0.0)
    assert found["done"]  # it held the state, whose digest each plan named, after the last round
    assert found["loaded"] == []
