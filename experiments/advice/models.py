"""Models of the ten cases, which nothing in the advice was tuned on, and examples for them."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from baffle.bench.modules import mobilenet_v2
from baffle.bench.modules.gpt import Gpt
from baffle.bench.modules.transformer import Transformer

Batch = tuple[Tensor, Tensor]


def digits_mlp() -> nn.Module:
    """784-300-100-10, LeCun's of 1998."""
    sizes = (784, 300, 100, 10)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def wide_mlp() -> nn.Module:
    """Four layers of 2,048: all weights, next to no activations."""
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Linear(2048, 2048), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(2048, 100))


def photographs() -> nn.Module:
    """Six convolutions of 24 channels on images of 128 by 128: all activations."""
    layers: list[nn.Module] = [nn.Conv2d(3, 24, 3, padding=1), nn.Hardswish()]
    for _ in range(5):
        layers += [nn.Conv2d(24, 24, 3, padding=1), nn.Hardswish()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))


def small_transformer() -> nn.Module:
    """Six blocks of width 192."""
    return Transformer(width=192, layers=6, heads=4)


def small_gpt() -> nn.Module:
    """Three causal blocks of width 128, a vocabulary of 512."""
    return Gpt(vocabulary=512, context=64, width=128, layers=3, heads=4)


def mobilenet() -> nn.Module:
    """MobileNetV2 of width 1, 1,000 classes."""
    return mobilenet_v2()


def token_rows(count: int) -> Batch:
    """Rows of 64 tokens, and the tokens that follow."""
    ids = torch.randint(512, (count, 65), generator=torch.Generator().manual_seed(0))
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def features(count: int) -> Batch:
    """Sequences of 48 feature vectors."""
    chance = torch.Generator().manual_seed(0)
    rows = torch.randn(count, 48, 192, generator=chance)
    return rows, torch.randint(10, (count,), generator=chance)
