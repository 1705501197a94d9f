"""What is exported, what is refused, and why."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from baffle.backends.onnx import Manifest
from baffle.backends.onnx.weights import WeightsFile
from baffle.backends.torch import initial_weights, model_signature
from baffle.drivers.export import export
from baffle.errors import ModelError


def linear() -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
    torch.manual_seed(0)
    return nn.Linear(4, 3), (torch.randn(5, 4), torch.randint(3, (5,)))


def test_the_page_says_what_was_exported(tmp_path):
    module, examples = linear()
    before = {name: w.tobytes() for name, w in initial_weights(module).items()}
    module.train()
    found = export(module, functional.cross_entropy, examples, tmp_path / "m", (2,), 3)
    assert module.training
    assert {name: w.tobytes() for name, w in initial_weights(module).items()} == before
    manifest = Manifest.read(tmp_path / "m")
    assert manifest == found.manifest
    assert manifest.signature == model_signature(module)
    assert [g.points for g in manifest.graphs] == [1, 2, 1]
    assert manifest.open == manifest.graphs[-1]
    assert manifest.plain.outputs == ("losses", "right")
    assert 0 <= manifest.difference < 1e-6
    weights = WeightsFile(tmp_path / "m", manifest).read()
    for name, w in initial_weights(module).items():
        np.testing.assert_array_equal(weights[name], w)
    assert {p.name for p in (tmp_path / "m").iterdir()} == {
        "manifest.json", "plain.onnx", "pass-2.onnx", "open.onnx", "weights.bin",
    }  # fmt: skip


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    module, examples = linear()
    with pytest.raises(ModelError, match="expected an empty or new folder"):
        export(module, functional.cross_entropy, examples, tmp_path, (2,), 3)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(("points", "batch"), [((), 3), ((1,), 3), ((2,), 0)])
def test_passes_that_make_no_sense_are_refused(tmp_path, points, batch):
    module, examples = linear()
    with pytest.raises(ModelError, match="passes of two points or more"):
        export(module, functional.cross_entropy, examples, tmp_path / "m", points, batch)


def test_other_types_than_float32_are_refused_by_name(tmp_path):
    module, examples = linear()
    with pytest.raises(
        ModelError, match=r"expected trained tensors in float32, got bias \[3\] bfl"
    ):
        export(module.bfloat16(), functional.cross_entropy, examples, tmp_path / "m", (2,), 3)


@pytest.mark.slow
def test_a_loss_that_is_no_mean_of_examples_is_refused_and_nothing_is_left(tmp_path):
    module, examples = linear()

    def spread(output, target):
        return functional.cross_entropy(output, target) + output.std(dim=0).mean()

    with pytest.raises(ModelError):
        export(module, spread, examples, tmp_path / "m", (2,), 3)
    assert not list(tmp_path.iterdir())


def test_a_module_that_mixes_examples_is_refused(tmp_path):
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x - x.mean(0))

    _, examples = linear()
    with pytest.raises(ModelError, match="mixes the examples of a batch"):
        export(Mixing(), functional.cross_entropy, examples, tmp_path / "m", (2,), 3)


@pytest.mark.slow
def test_own_losses_and_named_inputs(tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Embedding(7, 2)

        def forward(self, x, *, number):
            return self.a(x) * self.b(number)

    torch.manual_seed(0)
    inputs = {"x": torch.randn(4, 3), "number": torch.randint(7, (4,))}
    found = export(Two(), functional.mse_loss, (inputs, torch.randn(4, 2)), tmp_path / "m", (2,), 2)
    assert found.manifest.spread == "dict"
    assert [a.name for a in found.manifest.inputs] == ["input.x", "input.number"]
    assert found.manifest.plain.outputs == ("losses",)
