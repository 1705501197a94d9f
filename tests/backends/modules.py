"""Modules written by hand: what users write that no layer class covers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Tied(nn.Module):
    """Embedding and output share one tensor; positions are a parameter and a table."""

    def __init__(self, words: int = 11, width: int = 6, length: int = 4) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Embedding(length, width)
        self.shift = nn.Parameter(torch.randn(1, length, width))
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, numbers: Tensor) -> Tensor:
        h = self.words(numbers) + self.places(torch.arange(numbers.shape[1])) + self.shift
        return self.head(torch.tanh(h).mean(dim=1))


class Free(nn.Module):
    """Free parameters on either side of every elementwise operation, and bare matrices."""

    def __init__(self, width: int = 5) -> None:
        super().__init__()
        self.scale, self.bias = (nn.Parameter(torch.rand(width) + 1) for _ in range(2))
        self.one = nn.Parameter(torch.tensor(1.5))
        self.row = nn.Parameter(torch.rand(1, width) + 1)
        self.matrix = nn.Parameter(torch.randn(width, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.scale * x + self.bias
        y = (self.bias - y) / self.one + x / self.row
        y = y @ self.matrix
        y = torch.matmul(torch.tanh(y), self.matrix.t()) + y.mm(self.matrix.T)
        y += self.bias
        y.mul_(self.scale)
        y = torch.addmm(self.bias, y, self.matrix) - self.one
        return y * functional.softplus(self.scale) + self.row[0, :] * (-self.one).exp()


class Interleaved(nn.Module):
    """Works on shared inputs in several ways before the first weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.bias = nn.Linear(6, 4), nn.Parameter(torch.randn(6))
        self.second = nn.Linear(10, 2)

    def forward(self, x: Tensor) -> Tensor:
        flat = (x.to(self.bias.dtype) - 0.5).view(x.shape[0], -1)
        other = x.reshape(-1, 6) * 2
        h = torch.cat((self.first(flat), other + self.bias), dim=1)
        return self.second(h) + x.flatten(1).sum(dim=1, keepdim=True)


class Dicts(nn.Module):
    """Named inputs, two outputs, one of them nested."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4, bias=False)

    def forward(self, left: Tensor, right: Tensor) -> dict:
        h = self.a(left) + self.b(right)
        return {"logits": h, "more": (h.relu(),)}


class Changed(nn.Module):
    """A linear layer whose output goes through a function that may mix examples."""

    def __init__(self, change) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(4, 3), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.layer(x))


def _branch(h: Tensor) -> Tensor:
    return h if h.sum() > 0 else -h


MIXING = {
    "mean kept": lambda h: h - h.mean(0, keepdim=True),
    "mean": lambda h: h - h.mean(0),
    "total": lambda h: h / (1 + h.square().sum()),
    "running sum": lambda h: h.cumsum(0),
    "flipped": lambda h: h + h.flip(0) ** 2,
    "rolled": lambda h: h * h.roll(1, 0),
    "softmax": lambda h: h.softmax(0),
    "neighbours": lambda h: (
        (h.view(-1, 2, 3).sum(1, keepdim=True) + h.view(-1, 2, 3)).flatten(0, 1)
        if len(h) % 2 == 0
        else h
    ),
    "by size": lambda h: h / len(h),
    "sorted": lambda h: h + h.sort(0).values,
    "batch statistics": lambda h: functional.batch_norm(h, None, None, training=True) + h,
    "instance over batch": lambda h: (
        functional.instance_norm(h.t().unsqueeze(0)).squeeze(0).t() + h
    ),
    "reads a value": lambda h: h * float(h[0, 0]),
    "branches": _branch,
    "selects": lambda h: h * len(h[h > 0]),
}
