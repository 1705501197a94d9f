from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError
from baffle.models import MODELS
from baffle.models.advice import check_model
from baffle.models.convert import LEFT, SOURCES, convert, num_groups, summary, write_state
from baffle.models.locate import find_model

ROWS = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    """As in a ResNet: one ReLU in two places, batch norm in the shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        self.downsample = None if same else nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        carried = x if self.downsample is None else self.downsample(x)
        h = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(h + carried)


def resnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        Residual(16, 16, 1), Residual(16, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip


def after_by_where(module: nn.Module, example: Any = None) -> dict[str, str]:
    return {change.where: change.after.split("(")[0] for change in convert(module, example)[1]}


def state_of(module: nn.Module) -> list[tuple[str, list[float]]]:
    return [(name, tensor.flatten().tolist()) for name, tensor in module.state_dict().items()]


def test_a_residual_network() -> None:
    model = resnet()
    before = state_of(model)
    copied, changes = convert(model)
    assert {c.where: c.after.split("(")[0] for c in changes} == {
        "1": "GroupNorm", "2": "Hardswish",
        "3.bn1": "GroupNorm", "3.relu": "Hardswish", "3.bn2": "GroupNorm",
        "4.bn1": "GroupNorm", "4.relu": "Hardswish", "4.bn2": "GroupNorm",
        "4.downsample.1": "GroupNorm",
    }  # fmt: skip
    assert copied(ROWS).shape == (2, 5)
    assert all(f.severity == "note" for f in check_model(copied, ROWS))
    assert copied[3].relu.inplace
    assert state_of(model) == before
    assert isinstance(model[1], nn.BatchNorm2d)


def test_the_copy_shares_no_memory_with_the_model() -> None:
    model = resnet()
    copied, _ = convert(model)
    theirs = {p.data_ptr() for p in model.parameters()}
    assert theirs.isdisjoint(p.data_ptr() for p in copied.parameters())
    names = {n for n, _ in model.named_parameters()}
    assert {n for n, _ in copied.named_parameters()} == names


def test_what_a_norm_keeps() -> None:
    norm = nn.BatchNorm2d(32, eps=1e-3, dtype=torch.float64).eval()
    with torch.no_grad():
        norm.weight.uniform_()
        norm.bias.uniform_()
    norm.bias.requires_grad_(False)
    found, (change,) = convert(norm)
    assert isinstance(found, nn.GroupNorm)
    assert (found.num_groups, found.num_channels, found.eps) == (2, 32, 1e-3)
    assert torch.equal(found.weight, norm.weight)
    assert torch.equal(found.bias, norm.bias)
    assert (found.weight.requires_grad, found.bias.requires_grad) == (True, False)
    assert (found.weight.dtype, found.training) == (torch.float64, False)
    assert change.where == "the model"
    assert "Hsieh et al. 2020; Feng et al. 2024, BAFFLE" in change.why
    x = torch.randn((2, 32, 4, 4), dtype=torch.float64)
    torch.testing.assert_close(
        found(x), functional.group_norm(x, 2, norm.weight, norm.bias, eps=1e-3)
    )


def test_a_norm_without_weights_and_a_device() -> None:
    found, _ = convert(nn.BatchNorm3d(4, affine=False))
    assert not list(found.parameters())
    assert not found.affine
    moved, _ = convert(nn.BatchNorm2d(4, device="meta"))
    assert moved.weight.is_meta


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (nn.BatchNorm1d, (3, 8)),
        (nn.BatchNorm1d, (3, 8, 5)),
        (nn.BatchNorm2d, (3, 8, 5, 5)),
        (nn.BatchNorm3d, (3, 8, 2, 2, 2)),
        (nn.SyncBatchNorm, (3, 8, 5)),
    ],
)
def test_every_batch_norm_treats_examples_alone(kind: Any, shape: tuple[int, ...]) -> None:
    found, (change,) = convert(kind(8))
    x = torch.randn(shape)
    torch.testing.assert_close(found(x)[1:2], found(x[1:2]))
    assert ("On (N, C) inputs" in change.why) == (kind is nn.BatchNorm1d)


def test_trained_statistics_are_said_to_be_gone() -> None:
    norm = nn.BatchNorm1d(8)
    assert "are gone" not in convert(norm)[1][0].why
    norm(torch.randn(4, 8))
    assert "trained running statistics are gone" in convert(norm)[1][0].why


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (16, 2), (32, 2), (35, 1), (48, 3), (64, 4),
     (80, 5), (97, 1), (100, 5), (128, 8), (2048, 128)],
)  # fmt: skip
def test_number_of_groups(channels: int, groups: int) -> None:
    assert num_groups(channels) == groups


def test_groups_are_the_papers_where_they_divide() -> None:
    for channels in range(3, 600):
        found, wanted = num_groups(channels), max(2, channels // 16)
        assert channels % found == 0
        assert channels // found > 1
        if channels % wanted == 0:
            assert found == wanted


@pytest.mark.parametrize("name", MODELS)
def test_our_own_models_need_nothing(name: str) -> None:
    model = find_model(name)
    copied, changes = convert(model)
    assert changes == []
    assert state_of(copied) == state_of(model)


def test_what_is_shared_stays_shared() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
            self.again = self.first
            self.norm = self.first[1]
            self.kept = {"act": [self.first[2]]}
            self.tied = nn.BatchNorm1d(8)
            self.tied.weight = self.norm.weight
            self.out = nn.Linear(8, 8)
            self.out.weight = self.first[0].weight

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.tied(self.norm(self.again(self.first(x)))))

    model = Twice()
    copied, changes = convert(model)
    assert [c.where for c in changes] == ["first.1", "first.2", "tied"]
    assert copied.again is copied.first
    assert copied.norm is copied.first[1]
    assert copied.kept["act"][0] is copied.first[2]
    assert copied.tied.weight is copied.norm.weight
    assert copied.out.weight is copied.first[0].weight
    assert copied(torch.randn(2, 8)).shape == (2, 8)


def test_training_flags_part_by_part() -> None:
    model = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(), nn.BatchNorm1d(8))
    model[1].eval()
    model[2].eval()
    assert [m.training for m in convert(model)[0]] == [True, False, False, True]


def test_functions_kept_as_attributes() -> None:
    class Net(nn.Linear):
        act = staticmethod(functional.relu)

        def __init__(self, act: Any) -> None:
            super().__init__(3, 3)
            self.act = act

        def forward(self, x: Tensor) -> Tensor:
            return self.act(super().forward(x))

    x = ROWS[0, :, :3, 0]
    for act in (functional.relu, torch.relu, functional.relu6):
        copied, (change,) = convert(Net(act))
        assert change.after == "act = hardswish"
        torch.testing.assert_close(
            copied(x), functional.hardswish(functional.linear(x, copied.weight, copied.bias))
        )
    assert convert(Net(functional.gelu))[1] == []


@pytest.mark.parametrize("activation", ["relu", nn.ReLU()])
def test_the_fast_path_of_transformers_does_not_go_on_with_relu(activation: Any) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=activation, batch_first=True).eval()
    copied, changes = convert(layer)
    assert [c.done for c in changes] == [True]
    x = torch.randn(2, 5, 8)
    plain = copied(x)  # gradients are on, so that the fast path is not taken
    with torch.inference_mode():
        torch.testing.assert_close(copied(x), plain)


class Own(nn.ReLU):
    pass


class OwnNorm(nn.BatchNorm2d):
    pass


@pytest.mark.parametrize(
    ("part", "said", "example"),
    [
        (Own(), "a class of its own", None),
        (Own(), "a class of its own", ROWS),
        (OwnNorm(3), "a class of its own", None),
        (OwnNorm(3), "a class of its own", ROWS),
        (nn.BatchNorm1d(1), "single number", None),
        (nn.RNN(2, 2, nonlinearity="relu"), "tanh", None),
    ],
)
def test_what_is_left_is_reported(part: nn.Module, said: str, example: Tensor | None) -> None:
    copied, changes = convert(nn.Sequential(nn.ReLU(), part), example)
    assert [(c.where, c.done) for c in changes] == [("0", True), ("1", False)]
    assert said in changes[1].why
    assert type(copied[1]) is type(part)
    assert "1 replaced, 1 left as they are." in summary(changes)


class Calling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(x))


class Choosing(Calling):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) > 1 else x


def test_functions_called_in_forward_are_reported() -> None:
    for example in (None, ROWS):
        assert after_by_where(nn.Sequential(Calling()), example) == {
            "0.norm": "GroupNorm",
            "0": LEFT,
        }
    unread, seen = convert(Choosing())[1][1], convert(Choosing(), ROWS)[1][1]
    assert "could not be looked into (" in unread.why
    assert seen.before == "relu in forward"
    assert convert(Choosing(), "no example")[1][1] == unread


def test_hooks_that_go_are_told_of() -> None:
    act = nn.ReLU()
    act.register_forward_hook(lambda *_: None)
    assert "hooks on it are gone" in convert(act)[1][0].why


def test_what_cannot_be_converted() -> None:
    with pytest.raises(ModelError, match=r"0\.weight has no shape yet"):
        convert(nn.Sequential(nn.LazyLinear(3)))
    holder = nn.Linear(2, 2)
    holder.lock = (i for i in range(3))
    with pytest.raises(ModelError, match="copying it failed: TypeError: cannot pickle"):
        convert(holder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Linear(2, 2))
    with pytest.raises(ModelError, match="0 is TorchScript"):
        convert(nn.Sequential(scripted))


def test_the_summary_names_places_and_sources() -> None:
    lines = summary(convert(nn.Sequential(nn.BatchNorm2d(64), nn.ReLU()))[1]).splitlines()
    assert lines[0].startswith("0: BatchNorm2d(64, ")
    assert " -> GroupNorm(4, 64, " in lines[0]
    assert lines[1].startswith("1: ReLU() -> Hardswish(). ")
    assert lines[2:] == [
        "2 replaced, 0 left as they are.",
        *SOURCES.splitlines(),
    ]
    assert "The Non-IID Data Quagmire of Decentralized Machine Learning, ICML 2020" in SOURCES


# Writing


def test_a_state_reads_back(tmp_path: Path) -> None:
    model, _ = convert(resnet())
    write_state(model, tmp_path / "model.safetensors")
    other, _ = convert(resnet())
    assert load_model(other, tmp_path / "model.safetensors") == (set(), [])
    assert state_of(other) == state_of(model)


def test_tied_tensors_are_written_once(tmp_path: Path) -> None:
    def tied() -> nn.Sequential:
        model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
        model[1].weight = model[0].weight
        return model

    path = tmp_path / "model.safetensors"
    model = tied()
    write_state(model, path)
    assert list(load_file(path)) == ["0.weight"]
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "pt", "1.weight": "0.weight"}
    other = tied()
    load_model(other, path)
    assert torch.equal(other[1].weight, model[0].weight)


def test_views_dtypes_and_buffers_are_written_by_value(tmp_path: Path) -> None:
    model = nn.Linear(3, 3, dtype=torch.bfloat16)
    model.register_buffer("turned", model.weight.data.T)
    model.register_buffer("passing", torch.zeros(1), persistent=False)
    write_state(model, str(tmp_path / "model.safetensors"))
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == {"weight", "bias", "turned"}
    assert torch.equal(found["turned"], model.weight.data.T)
    assert found["weight"].dtype == torch.bfloat16


def test_an_older_file_is_replaced_by_a_whole_one_only(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"older")
    with pytest.raises(ModelError, match="weight is none"):
        write_state(nn.Linear(2, 2, device="meta"), path)
    assert path.read_bytes() == b"older"
    write_state(nn.Linear(2, 2), path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected to write .*missing.*, which failed"):
        write_state(nn.Linear(2, 2), tmp_path / "missing" / "model.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match="which failed"):
        write_state(nn.Linear(2, 2), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(ModelError, match="expected a tensor with values, weight is none"):
        write_state(nn.LazyLinear(2), tmp_path / "lazy.safetensors")
