from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import baffle.models.checks
from baffle.backends.torch import TorchProbe, initial_weights, model_signature
from baffle.directions import Place, Points, make_kind
from baffle.errors import ModelError
from baffle.models import MODELS
from baffle.models.advice import CHECKS, Finding, as_text, check_model, example_rows
from baffle.models.checks.layers import SLOWER
from baffle.models.locate import SHAPES, find_model

ROWS = torch.randn((4, 3), generator=torch.Generator().manual_seed(0))


def about(module: nn.Module, example: Any = None, **options: Any) -> dict[str, list[Finding]]:
    """Findings by where, without the one on the model's size."""
    found: dict[str, list[Finding]] = {}
    for finding in check_model(module, example, **options):
        if "entries are trained: K" not in finding.what:
            found.setdefault(finding.where, []).append(finding)
    return found


def said(module: nn.Module, example: Any = None) -> set[tuple[str, str]]:
    return {(f.severity, where) for where, fs in about(module, example).items() for f in fs}


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.linear(x))


class Branching(nn.Module):
    """Its forward depends on data, so that no symbolic trace reads it; its parts can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x).relu_() if x.sum() > -1e9 else x


class Layer(nn.Module):
    """A linear layer with something done to its input."""

    def __init__(self, before: Any) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.before = before

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.before(x))


@pytest.mark.parametrize(
    "name", [m.name for m in pkgutil.iter_modules(baffle.models.checks.__path__)]
)
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"baffle.models.checks.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_said_against_our_own_models(name: str) -> None:
    shape = (1, 8, 8) if name == "wrn" else SHAPES[name]
    model = find_model(name, shape)
    assert about(model) == {}
    assert about(model, example_rows(model, shape, rows=2)) == {}


def test_findings_are_sentences_sorted_by_severity() -> None:
    model = nn.Sequential(
        nn.Dropout(), nn.ReLU(), nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)
    )
    found = check_model(model)
    assert [f.severity for f in found] == ["error", "warning", "note", "note"]
    assert all(text.endswith(".") for f in found for text in (f.what, f.do))
    assert len(CHECKS) == len(set(CHECKS.values()))


# Tensors


def test_nothing_to_train() -> None:
    assert said(nn.ReLU()) == {("error", "all parameters"), ("warning", "the model")}
    frozen = about(nn.Linear(3, 2).requires_grad_(False))["all parameters"]
    assert [f.what for f in frozen] == ["Nothing can be trained: all parameters are frozen."]


def test_frozen_entries_are_counted() -> None:
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(6)))
    model[:5].requires_grad_(False)
    (finding,) = about(model)["frozen parameters"]
    assert finding.severity == "note"
    assert "60 of 72 parameter entries" in finding.what
    assert finding.what.endswith("0.weight, 0.bias, 1.weight, 1.bias and 6 more.")


def test_lazy_layers() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    for example in (None, ROWS):
        found = {where for severity, where in said(model, example) if severity == "error"}
        assert found >= {"0.weight", "0.bias", "1.weight", "1.running_mean"}
    model.append(nn.Linear(3, 3))
    assert "are trained" not in as_text(check_model(model))  # as long as their number is not known
    model(ROWS)
    assert not [1 for severity, _ in said(model) if severity == "error"]


def test_meta_tensors() -> None:
    assert said(nn.Linear(3, 2, device="meta"), ROWS) == {("error", "weight"), ("error", "bias")}


@pytest.mark.parametrize(
    ("dtype", "severity", "what"),
    [
        (torch.complex64, "error", "trained and complex64"),
        (torch.bfloat16, "note", "It is bfloat16; the training state is float32"),
        (torch.float16, "note", "It is float16"),
        (torch.float64, "note", "It is float64"),
    ],
)
def test_dtypes(dtype: torch.dtype, severity: str, what: str) -> None:
    (finding,) = about(nn.Linear(3, 2, dtype=dtype))["weight"]
    assert finding.severity == severity
    assert what in finding.what


def test_frozen_integers_are_no_error() -> None:
    model = nn.Linear(3, 2)
    model.table = nn.Parameter(torch.arange(4), requires_grad=False)
    assert said(model) == {("note", "frozen parameters")}


def test_a_sparse_weight() -> None:
    layer = nn.Linear(3, 2, bias=False)
    layer.weight = nn.Parameter(torch.eye(3)[:2].to_sparse())
    (finding,) = about(layer)["weight"]
    assert "trained and sparse_coo" in finding.what


def test_undefined_values() -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.bias[1] = math.inf
    assert said(layer) == {("error", "bias")}


def test_tied_weights_are_one_tensor() -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    (finding,) = about(model)["0.weight"]
    assert (finding.severity, "stands as 1.weight" in finding.what) == ("note", True)


def test_two_parameters_on_one_memory() -> None:
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.data)
    assert said(model) == {("error", "1.weight")}


@pytest.mark.parametrize(
    ("wide", "directions", "cosine", "severity"),
    [(1535, 512, "0.5 ", "note"), (1535, 4608, "0.87 ", "note"), (10_000, 1, "0.01 ", "warning")],
)
def test_size_and_expected_cosine(wide: int, directions: int, cosine: str, severity: str) -> None:
    found = check_model(nn.Linear(wide, 1), directions=directions)
    assert [f.severity for f in found] == [severity]
    assert f"an expected cosine of {cosine}" in found[0].what


def test_large_models_are_warned_of() -> None:
    with torch.device("meta"):
        model = nn.Linear(2**15, 2**12)
    text = as_text(f for f in check_model(model) if f.severity == "warning")
    assert "2.0 GiB" in text
    assert "expected cosine of 0.002" in text


# Layers


def test_batch_norm_by_its_statistics() -> None:
    fresh, trained, finished = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    for norm in (trained, finished):
        norm(torch.randn((2, 3, 4, 4)))
    finished.eval()
    model = nn.ModuleList([fresh, trained, finished, nn.BatchNorm2d(3, track_running_stats=False)])
    assert said(model) == {("warning", "0"), ("warning", "1"), ("note", "2"), ("error", "3")}
    found = about(model)
    assert "Hsieh et al. 2020" in found["0"][0].do
    assert found["1"][0].do.startswith("Call eval() if that is meant; else replace it by GroupNorm")


def test_other_norms() -> None:
    plain = nn.ModuleList([nn.GroupNorm(1, 3), nn.LayerNorm(3), nn.InstanceNorm1d(3)])
    assert said(plain) == set()
    assert said(nn.InstanceNorm2d(3, affine=True, track_running_stats=True)) == {
        ("warning", "the model"),
    }


def test_dropout() -> None:
    model = nn.ModuleList(
        [nn.Dropout(0.1), nn.Dropout2d(0.0), nn.GRU(2, 2, 2, dropout=0.3), nn.Linear(2, 2)]
    )
    noted = [where for where, fs in about(model).items() if "Dropout is off" in fs[0].what]
    assert noted == ["0", "2"]


def test_relu_and_its_relatives() -> None:
    model = nn.Sequential(nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.Hardswish(), nn.Linear(3, 3))
    assert said(model) == {("warning", "0"), ("note", "1"), ("note", "2")}
    assert ("warning", "the model") in said(nn.RNN(2, 2, nonlinearity="relu"))


@pytest.mark.parametrize("example", [None, ROWS])
def test_relu_called_in_forward(example: Tensor | None) -> None:
    assert said(nn.Sequential(Stem(), nn.Sequential(Stem())), example) == {
        ("warning", "0"),
        ("warning", "1.0"),
    }


@pytest.mark.parametrize("example", [None, torch.zeros((2, 5, 4))])
def test_relu_kept_by_torchs_own_layers(example: Tensor | None) -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0, batch_first=True)
    assert said(layer, example) == {("warning", "the model")}


def test_a_forward_that_cannot_be_read_is_named_and_its_parts_are_read() -> None:
    assert said(Branching()) == {("note", "the model"), ("warning", "stem")}
    assert said(Branching(), ROWS) == {("warning", "the model"), ("warning", "stem")}
    (note,) = about(Branching())["the model"]
    assert "TraceError" in note.what


def test_own_layers_within_torchs_containers_are_read() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.TransformerEncoder(Stem(), 2, enable_nested_tensor=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.encoder(x)

    assert said(Outer()) == {("warning", "encoder.layers.0"), ("warning", "encoder.layers.1")}


@pytest.mark.parametrize("example", [None, ROWS])
def test_dropout_that_stays_on(example: Tensor | None) -> None:
    assert ("error", "the model") in said(Layer(functional.dropout), example)
    off = Layer(lambda x: functional.dropout(x, 0.5, False))
    assert said(off, example) == set()
    assert said(Layer(lambda x: functional.dropout(x, 0.0)), example) == set()


@pytest.mark.parametrize("example", [None, ROWS])
def test_batch_statistics_in_a_call(example: Tensor | None) -> None:
    layer = Layer(lambda x: functional.batch_norm(x, None, None, training=True))
    assert ("error", "the model") in said(layer, example)


def test_parametrizations() -> None:
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 3)),
        parametrizations.spectral_norm(nn.Linear(3, 3)),
    )
    assert said(model) == {("note", "0"), ("note", "1")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.Sequential(
            nn.utils.weight_norm(nn.Linear(3, 3)), nn.utils.spectral_norm(nn.Linear(3, 3))
        )
    assert said(old) == {("note", "0"), ("note", "1")}


def test_torchscript() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(Stem())
    for example in (None, ROWS):
        assert said(nn.Sequential(scripted), example) == {("warning", "0")}


# Behaviour


def test_a_model_that_does_not_run() -> None:
    found = about(nn.Linear(5, 2), ROWS)["the model"]
    assert [f.severity for f in found] == ["error"]
    assert "RuntimeError: mat1 and mat2 shapes" in found[0].what


def test_randomness_in_eval_mode() -> None:
    noisy = Layer(lambda x: x + torch.randn(3))
    before = torch.get_rng_state()
    assert said(noisy, ROWS) == {("error", "the model")}
    assert torch.equal(before, torch.get_rng_state())


def test_examples_that_are_mixed() -> None:
    centred = Layer(lambda x: x - x.mean(0))
    assert said(centred, ROWS) == {("warning", "the model")}
    assert said(centred, ROWS[:1]) == set()  # one row cannot tell


def test_inputs_by_position_and_by_name() -> None:
    class Pair(nn.Linear):
        def forward(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
            return {"sum": super().forward(a.mul_(2) + b), "a": a}

    rows = ROWS.clone()
    assert said(Pair(3, 2), (rows, rows)) == set()
    assert said(Pair(3, 2), {"a": rows, "b": rows}) == set()
    assert torch.equal(rows, ROWS)


class Counter(nn.Linear):
    """Writes to a buffer in place, replaces two others and adds one, at every call."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("last", None)
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.mean = x.mean(0)
        self.last = x
        self.register_buffer("seen", torch.ones(1))
        return super().forward(x)


@pytest.mark.parametrize("example", [None, ROWS])
def test_a_model_is_left_as_it_was(example: Tensor | None) -> None:
    model = nn.Sequential(Counter(), nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    held = {id(b) for b in model.buffers()}
    written = {("warning", "0.calls"), ("warning", "0.mean")} if example is not None else set()
    assert {s for s in said(model, example) if s[1].startswith("0.")} == written
    assert {name: b.tolist() for name, b in model.named_buffers()} == {
        name: b.tolist() for name, b in buffers.items()
    }
    assert {id(b) for b in model.buffers()} == held
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


# Agreement with the engine, which is what the advice is about

UNUSABLE = {
    "frozen": nn.Linear(3, 2).requires_grad_(False),
    "lazy": nn.LazyLinear(2),
    "meta": nn.Linear(3, 2, device="meta"),
    "complex": nn.Linear(3, 2, dtype=torch.complex64),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_the_engine_refuses_is_an_error(name: str) -> None:
    with pytest.raises(ModelError):
        model_signature(UNUSABLE[name])
    assert "error" in {f.severity for f in check_model(UNUSABLE[name])}


class Sequence(nn.Module):
    """A layer of any kind between rows [4, 3] and scores."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return self.part((x > 0).long()).flatten(1)


def one_of(kind: type[nn.Module]) -> nn.Module:
    return kind(3, 3, max_norm=1.0)


class Rows:
    def __len__(self) -> int:
        return 4

    def batch(self, numbers: Any) -> tuple[Tensor, Tensor]:
        return ROWS[numbers], torch.zeros(len(numbers), dtype=torch.long)


@pytest.mark.parametrize("kind", [kind for row in SLOWER for kind in row.kinds])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_layers_called_slow_are_slow(kind: type[nn.Module]) -> None:
    """When the engine learns a rule for one, its entry in SLOWER is to go."""
    model = Sequence(one_of(kind))
    assert ("note", "part") in said(model)
    probe = TorchProbe(model, functional.cross_entropy, Rows())
    count = len(probe.signature.trained)
    points = Points(
        Place(7, 0), make_kind("rank_one", 7), (-9,) * count, np.arange(4, dtype=np.uint32),
        np.ones(4, np.int8),
    )  # fmt: skip
    probe(initial_weights(model), points, np.arange(4))
    assert probe.slow or probe.route != "rank_one"


def test_layers_that_have_a_rule_are_not_called_slow() -> None:
    layers = (nn.LSTM(2, 2), nn.TransformerEncoderLayer(2, 1), nn.Embedding(3, 2))
    assert not {f.where for f in check_model(nn.ModuleList(layers)) if "slower way" in f.what}
