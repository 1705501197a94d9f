"""A float model's int8 form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from baffle.backends.torch import model_signature
from baffle.errors import ModelError
from baffle.int8 import Int8Linear, to_int8
from baffle.int8.layers import Range


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(32, 5)
    )


def test_it_computes_nearly_the_same_and_leaves_the_float_one_alone():
    module, x = net(), torch.randn(64, 3, 8, 8)
    before = module(x)
    found = to_int8(module, [x[:32], x[32:]])
    assert torch.equal(module(x), before)
    assert (found(x) - before).abs().max() < 0.02 * before.abs().max()
    assert (found(x) - before).abs().max() > 0


@pytest.mark.parametrize(("room", "largest"), [(1.0, 126), (2.0, 63), (4.0, 32)])
def test_weights_leave_room_and_biases_stay(room, largest):
    module = net()
    found = to_int8(module, [torch.randn(8, 3, 8, 8)], room=room)
    for layer, own in ((found[0], module[0]), (found[4], module[4])):
        whole = layer.int8 * 128
        assert torch.equal(whole, whole.round())
        assert float(whole.detach().abs().max()) == largest
        assert torch.equal(layer.bias, own.bias)


def test_what_is_trained():
    x = [torch.randn(8, 3, 8, 8)]
    names = [tensor.name for _, tensor in model_signature(to_int8(net(), x)).trained]
    assert names == ["0.bias", "0.int8", "4.bias", "4.int8"]
    gains = to_int8(net(), x, trained="gains")
    assert [t.name for _, t in model_signature(gains).trained] == [
        "0.bias", "0.gain", "4.bias", "4.gain"
    ]  # fmt: skip


def test_layers_can_be_kept():
    found = to_int8(net(), [torch.randn(8, 3, 8, 8)], keep=["4"])
    assert type(found[4]) is nn.Linear


def test_a_layer_that_stands_at_two_places_is_one():
    layer = nn.Linear(3, 3)
    found = to_int8(nn.Sequential(layer, nn.ReLU(), layer), [torch.randn(4, 3)])
    assert isinstance(found[0], Int8Linear)
    assert found[0] is found[2]


def test_what_is_frozen_stays_frozen():
    module = net()
    module[0].requires_grad_(False)
    for trained, names in (("weights", ["4.bias", "4.int8"]), ("gains", ["4.bias", "4.gain"])):
        found = to_int8(module, [torch.randn(8, 3, 8, 8)], trained)
        assert [tensor.name for _, tensor in model_signature(found).trained] == names


def test_a_channel_of_zeros_and_an_input_of_zeros():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[0] = 0
    found = Int8Linear(layer, Range(0.0, 0.0))
    assert torch.isfinite(found(torch.zeros(1, 3))).all()
    assert not found.int8[0].any()


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.used(x)


@pytest.mark.parametrize(
    ("module", "more", "text"),
    [
        (nn.Sequential(nn.ReLU()), {}, "found 0 layers"),
        (nn.Sequential(nn.Linear(3, 3)), {"keep": ["7"]}, r"unknown names \['7'\]"),
        (nn.Sequential(nn.Linear(3, 3)), {"trained": "scales"}, "weights or gains, got 'scales'"),
        (nn.Sequential(nn.Linear(3, 3)), {"room": 0.5}, "a room of 1 to 126, got 0.5"),
        (Twice(), {}, "no example reached spare"),
    ],
)
def test_what_cannot_be_done_is_said(module, more, text):
    with pytest.raises(ModelError, match=text):
        to_int8(module, [torch.randn(2, 3)], **more)


def test_other_padding_is_refused_by_name():
    layer = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(ModelError, match="0: expected padding by numbers of zeros"):
        to_int8(layer, [torch.randn(2, 1, 4, 4)])
