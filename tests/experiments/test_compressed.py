"""Compressed forms: what each keeps, and that its check sees what is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from baffle.backends.torch import initial_weights
from baffle.models import build
from baffle.models.trained_part import train_only
from experiments.compressed.forms import FORMS
from experiments.compressed.forms.form import norms_measured
from experiments.compressed.pretrained import TRAINED
from experiments.compressed.study import RUNS, settings_of
from experiments.finetuning.networks import resnet20

SPARSE = {"sparse 50 %": 0.5, "sparse 80 %": 0.8, "2:4": 0.5}


def chain() -> nn.Module:
    return build("mlp", (16,), 4, seed=0, widths=(24,))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_leaves_its_module_and_holds_at_the_start(form):
    module, examples = chain(), torch.rand(64, 16)
    before = {name: w.tobytes() for name, w in initial_weights(module).items()}
    found, check = FORMS[form].make(module, examples)
    assert {name: w.tobytes() for name, w in initial_weights(module).items()} == before
    weights = initial_weights(found)
    check({"weights": weights, "ema": weights, "step": {}})
    assert found(examples).shape == (64, 4)
    for task in RUNS:
        assert settings_of(task, form)["model"]["options"] == {"form": form}


@pytest.mark.parametrize("form", SPARSE)
@pytest.mark.parametrize("slot", ["weights", "ema"])
def test_a_zero_that_is_lost_is_seen(form, slot):
    found, check = FORMS[form].make(chain(), torch.rand(8, 16))
    weights = initial_weights(found)
    shares = [float((w == 0).mean()) for w in weights.values() if w.ndim >= 2]
    assert all(abs(share - SPARSE[form]) < 0.01 for share in shares)
    lost = {name: w.copy() for name, w in weights.items()}
    flat = lost["linear1.weight"].reshape(-1)
    flat[np.flatnonzero(flat == 0)[0]] = 1e-30
    with pytest.raises(AssertionError, match=f"{slot}: 1 zeros of linear1.weight"):
        check({"weights": weights, slot: lost})


@pytest.mark.parametrize("form", ["float", "structured 50 %"])
def test_a_tensor_of_another_size_is_seen(form):
    found, check = FORMS[form].make(chain(), torch.rand(8, 16))
    weights = initial_weights(found)
    with pytest.raises(AssertionError, match="expected"):
        check({"weights": weights | {"head.bias": np.zeros(9, np.float32)}})


def test_blocks_are_halved_inside_and_shortcuts_stay():
    network = resnet20()
    train_only(network, TRAINED)
    found, _ = FORMS["structured 50 %"].make(network, torch.rand(4, 3, 32, 32))
    block = found.layer3[1]
    assert (block.conv1.out_channels, block.bn1.num_features, block.conv2.in_channels) == (32,) * 3
    assert block.conv2.out_channels == 64
    names = [name for name, p in found.named_parameters() if p.requires_grad]
    assert names == [name for name, p in network.named_parameters() if p.requires_grad]
    assert found(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_norms_are_measured_by_forward_passes():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    rows = torch.rand(256, 3)
    with torch.no_grad():
        inner = module[0](rows)
        norms_measured(module, rows)
    assert not module[1].training
    torch.testing.assert_close(module[1].running_mean, inner.mean(0))
    torch.testing.assert_close(module[1].running_var, inner.var(0), rtol=0.05, atol=0)
