from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
import torch

from baffle.errors import ModelError
from baffle.models import MODELS, build, count

GREY, COLOUR = (1, 32, 32), (3, 32, 32)

COSTS = [
    ("lenet", GREY, 10, {}, 26_730, 6_963_840),
    ("lenet", COLOUR, 10, {}, 27_530, 7_783_040),
    ("lenet", COLOUR, 100, {"widths": (32, 128)}, 117_860, 28_684_800),
    ("lenet", GREY, 10, {"norm": "group"}, 26_730, 6_963_840),
    ("wrn", GREY, 10, {}, 302_506, 44_188_928),
    ("wrn", COLOUR, 10, {}, 302_794, 44_483_840),
    ("wrn", COLOUR, 100, {}, 314_404, 44_495_360),
    ("lenet5", (1, 28, 28), 10, {}, 61_706, 416_520),
    ("lenet5", GREY, 10, {}, 61_706, 416_520),
    ("convnet", (1, 28, 28), 10, {}, 2_826, 97_088),
    ("convnet", (3, 9, 15), 10, {"norm": "none"}, 2_106, 38_144),
    ("mlp", (64,), 10, {"widths": (32, 16)}, 2_778, 2_720),
    ("linear", (1, 8, 8), 10, {}, 650, 640),
    ("signal", (6, 128), 6, {}, 3_286, 112_832),
    ("signal", (6, 128), 6, {"norm": "group"}, 3_286, 112_832),
]


@pytest.mark.parametrize(("name", "shape", "classes", "options", "size", "products"), COSTS)
def test_costs(
    name: str, shape: Any, classes: int, options: dict[str, Any], size: int, products: int
) -> None:
    cost = count(build(name, shape, classes, seed=0, **options), shape)
    assert (cost.parameters, cost.multiply_adds) == (size, products)


GOLDEN = {
    "convnet": "33b56838dae03ff2",
    "lenet": "3ccbebd4fb429c9f",
    "lenet5": "2d374fd58ea013f1",
    "linear": "59c8a5b343fb3a78",
    "mlp": "286715eebce9e202",
    "signal": "64cb01630e0acb3a",
    "wrn": "895b51186d08a9c3",
}


def digest(model: torch.nn.Module) -> str:
    content = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    return hashlib.sha256(content).hexdigest()[:16]


@pytest.mark.parametrize("name", MODELS)
def test_golden_weights(name: str) -> None:
    assert digest(build(name, GREY, 10, seed=0)) == GOLDEN[name]


@pytest.mark.parametrize("name", MODELS)
def test_weights_depend_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = digest(build(name, GREY, 10, seed=5))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert digest(build(name, GREY, 10, seed=5)) == first
    assert digest(build(name, GREY, 10, seed=6)) != first


def test_weights_do_not_depend_on_torchs_defaults() -> None:
    expected = digest(build("lenet", GREY, 10, seed=0))
    torch.set_default_dtype(torch.float64)
    try:
        model = build("lenet", GREY, 10, seed=0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert digest(model) == expected


@pytest.mark.parametrize("name", MODELS)
def test_one_logit_a_class_and_finite(name: str) -> None:
    x = torch.from_numpy(
        np.random.Generator(np.random.Philox(key=0)).random((3, *GREY), np.float32)
    )
    out = build(name, GREY, 7, seed=0)(x)
    assert out.shape == (3, 7)
    assert torch.isfinite(out).all()
    # A row's output does not depend on the other rows: no batch statistics anywhere.
    alone = build(name, GREY, 7, seed=0)(x[1:2])
    torch.testing.assert_close(alone[0], out[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_no_state_beside_the_weights(name: str) -> None:
    model = build(name, GREY, 10, seed=0)
    assert not list(model.buffers())
    assert all(p.dtype == torch.float32 and p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("activation", ["hardswish", "relu", "selu"])
@pytest.mark.parametrize("name", ["convnet", "lenet", "lenet5", "mlp", "signal", "wrn"])
def test_the_activation_is_used(name: str, activation: str) -> None:
    model = build(name, GREY, 10, seed=0, activation=activation)
    kinds = {type(layer).__name__.lower() for layer in model.modules()}
    assert kinds & {"hardswish", "relu", "selu"} == {activation}


def test_group_norm_is_without_weights_in_the_papers_groups() -> None:
    model = build("wrn", GREY, 10, seed=0)
    norms = [layer for layer in model.modules() if isinstance(layer, torch.nn.GroupNorm)]
    assert {(n.num_channels, n.num_groups) for n in norms} == {(16, 2), (32, 2), (64, 4), (128, 8)}
    assert not any(list(n.parameters()) for n in norms)


def test_the_lenet_is_what_the_paper_says() -> None:
    """The same function written out, so that a layer in the wrong place shows."""
    model = build("lenet", GREY, 10, seed=3, norm="group")
    w = dict(model.named_parameters())
    x = torch.from_numpy(
        np.random.Generator(np.random.Philox(key=1)).random((2, *GREY), np.float32)
    )
    f = torch.nn.functional
    h = f.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2)
    h = f.max_pool2d(f.hardswish(f.group_norm(h, 2)), 2)
    h = f.conv2d(h, w["conv2.weight"], w["conv2.bias"], padding=2)
    h = f.hardswish(f.group_norm(h, 4)).mean(dim=(2, 3))
    torch.testing.assert_close(model(x), h @ w["head.weight"].T + w["head.bias"])


def test_the_wrn_is_what_the_paper_says() -> None:
    model = build("wrn", (1, 8, 8), 10, seed=3)
    w = dict(model.named_parameters())
    x = torch.from_numpy(
        np.random.Generator(np.random.Philox(key=1)).random((2, 1, 8, 8), np.float32)
    )
    f = torch.nn.functional

    def active(h: torch.Tensor) -> torch.Tensor:
        return f.hardswish(f.group_norm(h, max(2, h.shape[1] // 16)))

    h = f.conv2d(x, w["conv.weight"], w["conv.bias"], padding=1)
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        block = f"stage{stage}.0"
        carried = f.conv2d(active(h), w[f"{block}.shortcut.weight"], stride=stride)
        h = f.conv2d(active(h), w[f"{block}.conv1.weight"], stride=stride, padding=1)
        h = f.conv2d(active(h), w[f"{block}.conv2.weight"], padding=1) + carried
    h = active(h).mean(dim=(2, 3))
    torch.testing.assert_close(model(x), h @ w["head.weight"].T + w["head.bias"])


def test_deeper_networks_carry_their_input_over() -> None:
    model = build("wrn", GREY, 10, seed=0, depth=16, widen=1)
    # widths 16, 16, 32, 64: the first stage keeps its width, so it needs no 1×1 convolution
    shortcuts = [name for name, _ in model.named_parameters() if "shortcut" in name]
    assert shortcuts == ["stage2.0.shortcut.weight", "stage3.0.shortcut.weight"]
    assert model(torch.zeros((1, *GREY))).shape == (1, 10)


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("vgg", GREY, {}, "a model among convnet, lenet, .*, signal, wrn, got 'vgg'"),
        ("lenet", (64,), {}, r"\(channels, height, width\) .* got \(64,\); .* choose mlp"),
        ("lenet", (1, 1, 8), {}, "2 pixels a side or more"),
        ("lenet", GREY, {"norm": "batch"}, "a norm among none, group, got 'batch'"),
        ("lenet", GREY, {"norm": "group", "widths": (15, 64)}, "2 groups, got 15"),
        ("lenet", GREY, {"activation": "gelu"}, "among hardswish, relu, selu, got 'gelu'"),
        ("lenet", GREY, {"width": 3}, "activation, init, norm, widths, got an unknown width"),
        ("lenet", GREY, {"init": "zero"}, "an init among he, torch, got 'zero'"),
        ("lenet5", (1, 30, 30), {}, "28×28 or 32×32 pixels, got 30×30"),
        ("lenet5", (1, 28, 32), {}, "got 28×32"),
        ("signal", (64,), {}, r"shape \(channels, samples\), got \(64,\)"),
        ("wrn", GREY, {"depth": 11}, "a depth of 10, 16, 22, … .* got depth=11"),
        ("wrn", GREY, {"depth": 4}, "got depth=4"),
        ("wrn", (1, 2, 2), {}, "wrn: .* 4 pixels a side"),
        ("linear", (), {}, r"rows that are not empty, .* in_shape=\(\)"),
        ("linear", (0,), {}, r"rows that are not empty, .* in_shape=\(0,\)"),
    ],
)
def test_what_cannot_be_built_is_refused(
    name: str, shape: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build(name, shape, 10, seed=0, **options)


@pytest.mark.parametrize(("classes", "seed"), [(1, 0), (10, -1)])
def test_classes_and_seed_are_checked(classes: int, seed: int) -> None:
    with pytest.raises(ModelError, match=f"got classes={classes}, seed={seed}"):
        build("linear", (4,), classes, seed)
