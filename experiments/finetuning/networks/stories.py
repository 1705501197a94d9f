"""A small Llama: Touvron et al., "LLaMA", 2023, section 2.2, with fewer heads of keys and values.

Weights come from a file of float32 numbers behind seven int32: width, hidden width, layers, heads,
heads of keys and values, vocabulary, length. The order is that of llama2.c's first format.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baffle.errors import ModelError

EPSILON, BASE = 1e-5, 10000.0
HEAD = struct.Struct("<7i")


@dataclass(frozen=True)
class Sizes:
    """What the file's first numbers say."""

    width: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    length: int

    @property
    def each(self) -> int:
        """Entries of a head."""
        return self.width // self.heads


class Attention(nn.Module):
    """Causal attention with rotated queries and keys."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        width, few = sizes.width, sizes.kv_heads * sizes.each
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, few, bias=False)
        self.v = nn.Linear(width, few, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        cos, sin = _angles(sizes)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each token takes from those before it; x is [B, T, width]."""
        q, k = self._rotated(self._heads(self.q(x))), self._rotated(self._heads(self.k(x)))
        shared = self.sizes.heads // self.sizes.kv_heads
        k, v = (t.repeat_interleave(shared, dim=1) for t in (k, self._heads(self.v(x))))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (-1, self.sizes.each)).transpose(1, 2)

    def _rotated(self, x: Tensor) -> Tensor:
        length = x.shape[2]
        cos, sin = self.cos[:length], self.sin[:length]
        even, odd = x[..., 0::2], x[..., 1::2]
        return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(3)


def _angles(sizes: Sizes) -> tuple[Tensor, Tensor]:
    turns = BASE ** (-np.arange(0, sizes.each, 2) / sizes.each)
    angles = np.outer(np.arange(sizes.length), turns)
    cos, sin = (torch.from_numpy(f(angles).astype(np.float32)) for f in (np.cos, np.sin))
    return cos, sin


class Layer(nn.Module):
    """Attention, then a gated network, each behind a norm and beside a shortcut."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(sizes.width, EPSILON)
        self.attention = Attention(sizes)
        self.ffn_norm = nn.RMSNorm(sizes.width, EPSILON)
        self.gate = nn.Linear(sizes.width, sizes.hidden, bias=False)
        self.down = nn.Linear(sizes.hidden, sizes.width, bias=False)
        self.up = nn.Linear(sizes.width, sizes.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, T, width]."""
        x = x + self.attention(self.attention_norm(x))
        y = self.ffn_norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Classifier(nn.Module):
    """The vocabulary's scores from the embedding's own weights, which it shares."""

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.weight = embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return scores [B, T, vocabulary]."""
        return functional.linear(x, self.weight)


def stories(path: Path) -> nn.Sequential:
    """Return the language model of a file: tokens [B, T] to scores [B, T, vocabulary].

    Raises:
        ModelError: the file is not as long as its first numbers say.
    """
    content = path.read_bytes()
    sizes = Sizes(*HEAD.unpack_from(content))
    model = _network(sizes)
    numbers = np.frombuffer(content, "<f4", offset=HEAD.size)
    wanted = sum(p.numel() for p in model.parameters()) + sizes.length * sizes.each
    if len(numbers) != wanted:
        raise ModelError(f"{path}: expected {wanted} numbers for {sizes}, got {len(numbers)}")
    place = 0
    for group in _in_file_order(model):
        for parameter in group:
            values = numbers[place : place + parameter.numel()].reshape(parameter.shape)
            parameter.data.copy_(torch.from_numpy(values.copy()))
            place += parameter.numel()
    return model.eval()


def _network(sizes: Sizes) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    embedding = nn.Embedding(sizes.vocabulary, sizes.width)
    layers["embedding"] = embedding
    layers |= {f"layer{number}": Layer(sizes) for number in range(sizes.layers)}
    layers["norm"] = nn.RMSNorm(sizes.width, EPSILON)
    layers["scores"] = Classifier(embedding)
    return nn.Sequential(layers)


def _in_file_order(model: nn.Sequential) -> list[list[nn.Parameter]]:
    layers = [part for part in model if isinstance(part, Layer)]
    each = (
        *(lambda p: p.attention_norm, lambda p: p.attention.q, lambda p: p.attention.k),
        *(lambda p: p.attention.v, lambda p: p.attention.o, lambda p: p.ffn_norm),
        *(lambda p: p.gate, lambda p: p.down, lambda p: p.up),
    )
    middle = [[part(layer).weight for layer in layers] for part in each]
    return [[model.embedding.weight], *middle, [model.norm.weight]]
