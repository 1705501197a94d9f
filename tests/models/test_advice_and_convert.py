"""`baffle check` and `baffle convert`: what they find, what they change, what they refuse."""

import json

import pytest
import torch
from torch import nn

from baffle.cli.main import app
from baffle.errors import ModelError
from baffle.models.advice import check_model
from baffle.models.convert import convert, num_groups, write_state
from baffle.models.locate import find_model


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.norm(self.conv(x)) + x)


def residual():
    shared = Block(16)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), shared, shared, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)
    )


def findings(model):
    return {(f.severity, f.where) for f in check_model(model)}


def test_each_kind_of_finding():
    model = nn.Sequential(
        nn.Linear(4, 4),
        nn.BatchNorm1d(4, track_running_stats=False),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4, 4),
        nn.GRU(4, 4),
        nn.Linear(4, 4).bfloat16(),
    )
    model[5].weight = model[0].weight
    model[0].bias.requires_grad_(False)
    assert findings(model) >= {
        ("error", "1"), ("warning", "2"), ("warning", "3"), ("note", "4"), ("note", "0.weight"),
        ("note", "7.weight"), ("note", "frozen parameters"),
        ("note", "all parameters"),
    }  # fmt: skip


def test_nothing_trainable_and_lazy_are_errors():
    frozen = nn.Linear(2, 2).requires_grad_(False)
    assert ("error", "all parameters") in findings(frozen)
    assert ("error", "weight") in findings(nn.LazyLinear(3))


def test_a_large_model_is_warned_of_with_its_cosine():
    big = nn.Linear(4000, 2000)
    warned = [f for f in check_model(big) if f.severity == "warning"]
    assert "0.008" in warned[0].what


def test_conversion_replaces_keeps_and_shares():
    model = residual()
    model[1].norm.weight.data.fill_(3.0)
    model[1].norm.weight.requires_grad_(False)
    made, changes = convert(model)
    assert {c.where for c in changes} == {"1.norm", "1.act"}
    assert made[1] is made[2]
    assert isinstance(made[1].norm, nn.GroupNorm)
    assert (made[1].norm.weight == 3).all()
    assert not made[1].norm.weight.requires_grad
    assert isinstance(model[1].norm, nn.BatchNorm2d)
    assert made(torch.randn(2, 3, 8, 8)).shape == (2, 4)
    assert not [f for f in check_model(made) if f.severity != "note"]


def test_a_model_that_is_itself_replaced():
    made, changes = convert(nn.BatchNorm1d(6))
    assert isinstance(made, nn.GroupNorm)
    assert changes[0].where == "the model"


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 7, 16, 30, 48, 64, 100])
def test_groups_divide_the_channels(channels):
    assert channels % num_groups(channels) == 0


def test_tied_tensors_are_written_once(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    write_state(model, tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").stat().st_size < 400


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        ("model = 3", "model", "expected a torch.nn.Module, got int"),
        ("def make(width): ...", "make", "called without arguments: TypeError"),
        ("raise RuntimeError('broken')", "model", "could not be loaded: RuntimeError: broken"),
        ("", "model", "has no 'model'"),
    ],
)
def test_someones_own_file_is_refused_in_one_sentence(tmp_path, code, name, said):
    file = tmp_path / "own.py"
    file.write_text(code)
    with pytest.raises(ModelError, match=said):
        find_model(f"{file}:{name}")


def test_missing_files_modules_and_names():
    for text in ("nowhere.py:model", "no.such.module:model", "resnet999"):
        with pytest.raises(ModelError):
            find_model(text)


def test_the_commands(tmp_path, capsys):
    file = tmp_path / "own.py"
    file.write_text("from torch import nn\nmodel = nn.Sequential(nn.Linear(2, 2), nn.ReLU())\n")
    app(["check", f"{file}:model", "--json"], standalone_mode=False)
    value = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert value["ok"]
    assert {f["where"] for f in value["findings"]} == {"1", "all parameters"}
    out = tmp_path / "state.safetensors"
    app(["convert", f"{file}:model", "-o", str(out), "--json"], standalone_mode=False)
    value = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert value["changes"][0]["after"] == "Hardswish()"
    assert out.exists()
