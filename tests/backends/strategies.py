"""Modules and inputs of odd shapes, drawn."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

sizes = st.integers(1, 5)
flags = st.booleans()
seeds = st.integers(0, 2**31 - 1)
signs = st.lists(st.sampled_from((1, -1, 0)), min_size=1, max_size=6).map(tuple)
chunks = st.sampled_from((0, 1, 2, 3))
ACTIVATIONS = (nn.Identity, nn.ReLU, nn.Tanh, nn.Hardswish, lambda: nn.ReLU(inplace=True))
activations = st.sampled_from(ACTIVATIONS)


def strided(x: Tensor, how: str) -> Tensor:
    """The same values in another memory order."""
    if how == "channels_last" and x.dim() in (4, 5):
        order = torch.channels_last if x.dim() == 4 else torch.channels_last_3d
        return x.contiguous(memory_format=order)
    if how == "sliced":
        return torch.stack((x, x), dim=-1)[..., 0]
    if how == "transposed" and x.dim() > 2:
        return x.transpose(1, -1).contiguous().transpose(1, -1)
    return x


layouts = st.sampled_from(("contiguous", "channels_last", "sliced", "transposed"))


@st.composite
def linear_stacks(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    widths = draw(st.lists(st.sampled_from((1, 2, 3, 5, 8, 10, 17)), min_size=2, max_size=4))
    torch.manual_seed(draw(seeds))
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b, bias=draw(flags)), draw(activations)()]
    leading = draw(st.lists(sizes, min_size=1, max_size=3))
    x = torch.randn(*leading, widths[0])
    return nn.Sequential(*layers), strided(x, draw(layouts))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    axes = draw(st.integers(1, 3))
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    groups = draw(st.integers(1, 3))
    channels, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding: Any = draw(st.sampled_from(("valid", "same", "ints")))
    stride = 1 if padding == "same" else draw(st.integers(1, 2))
    if padding == "ints":
        padding = tuple(draw(st.integers(0, 2)) for _ in range(axes))
    torch.manual_seed(draw(seeds))
    first = kind(
        channels, outputs, kernel, stride, padding, draw(st.integers(1, 2)), groups, draw(flags)
    )  # fmt: skip
    layers = [first, draw(activations)()]
    if draw(flags):
        layers.append(kind(outputs, draw(sizes), 1, bias=draw(flags)))
    x = torch.randn(draw(st.integers(1, 3)), channels, *(draw(st.integers(5, 7)) for _ in kernel))
    return nn.Sequential(*layers), strided(x, draw(layouts))


@st.composite
def normalised(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(draw(seeds))
    channels, length = 2 * draw(st.integers(1, 3)), draw(st.integers(2, 4))
    affine = draw(flags)
    norm = draw(st.sampled_from(("layer", "layer2", "rms", "group", "batch")))
    made = {
        "layer": lambda: nn.LayerNorm(length, elementwise_affine=affine),
        "layer2": lambda: nn.LayerNorm((channels, length), elementwise_affine=affine, bias=affine),
        "rms": lambda: nn.RMSNorm(length, elementwise_affine=affine),
        "group": lambda: nn.GroupNorm(2, channels, affine=affine),
        "batch": lambda: nn.BatchNorm1d(channels, affine=affine),
    }[norm]()
    for tensor in (*made.parameters(), *made.buffers()):
        if tensor.is_floating_point():
            tensor.data.copy_(torch.rand_like(tensor) + 0.5)
    before = nn.Conv1d(channels, channels, 1)
    x = torch.randn(draw(st.integers(1, 4)), channels, length)
    first = (made, before) if draw(flags) else (before, made)
    return nn.Sequential(*first, nn.Flatten(), nn.Linear(channels * length, 3)), x
