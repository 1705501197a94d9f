"""The language model's tasks: plays by speaker, and whether a sentence is positive."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baffle.models.trained_part import features
from experiments.finetuning.files import find
from experiments.finetuning.networks import stories
from experiments.finetuning.texts import Vocabulary, sentences, speakers, windows

LENGTH, TEST_ROWS = 32, 512
SPEAKERS = 20  # those who say most
SENTENCES = 3000
WEIGHTS, PIECES = "weights/stories260K/stories260K.bin", "weights/stories260K/tok512.bin"
Rows = list[NDArray[np.int64]]


def network() -> nn.Sequential:
    """Return the pretrained language model."""
    return stories(find(WEIGHTS))


def token_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over tokens of −log p, in nats."""
    return functional.cross_entropy(scores.flatten(0, 1), targets.flatten())


@cache
def plays() -> tuple[NDArray[np.int64], Rows, NDArray[np.int64], float]:
    """Return rows of tokens, each speaker's among them, rows to test on, and bytes a token there.

    The last tenth of the text is for testing, as whoever speaks; the other rows are of the
    speakers who say most in the rest.
    """
    vocabulary = Vocabulary(find(PIECES))
    text = find("tinyshakespeare/input.txt").read_text(encoding="utf-8")
    begin = math.floor(0.9 * len(text))
    said = sorted(speakers(text[:begin]).values(), key=len, reverse=True)[:SPEAKERS]
    parts = [windows(vocabulary, one, LENGTH) for one in said]
    ends = np.cumsum([len(part) for part in parts])
    rows = [np.arange(end - len(part), end) for part, end in zip(parts, ends, strict=True)]
    test = windows(vocabulary, text[begin:], LENGTH)[:TEST_ROWS]
    spelled = sum(len(vocabulary.decode(row[1:].tolist()).encode()) for row in test)
    return np.concatenate(parts), rows, test, spelled / test[:, 1:].size


class Sentence(nn.Module):
    """The mean over a sentence's tokens of what the language model knows before its scores."""

    def __init__(self, model: nn.Sequential) -> None:
        super().__init__()
        self.model = model[:-1]

    def forward(self, tokens: Tensor) -> Tensor:
        """Return [B, width] of tokens [B, T]; zeros at the end are no tokens."""
        real = (tokens > 0).unsqueeze(2)
        return (self.model(tokens) * real).sum(1) / real.sum(1)


def classifier() -> nn.Sequential:
    """Return the language model with a new, zero head for two classes."""
    model = nn.Sequential()
    body = Sentence(network())
    model.add_module("body", body)
    model.add_module("head", nn.Linear(body.model[-1].weight.numel(), 2))
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model.eval()


@cache
def feelings() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return sentences and labels to train on, then those to test on."""
    vocabulary, found = Vocabulary(find(PIECES)), []
    for name, count in (("train", SENTENCES), ("dev", None)):
        rows, labels = sentences(vocabulary, find(f"sst2/{name}.tsv"), LENGTH)
        found += [torch.from_numpy(rows[:count]), torch.from_numpy(labels[:count])]
    return found[0], found[1], found[2], found[3]


def sentence_task(
    part: Callable[[nn.Module], nn.Module],
) -> tuple[nn.Module, Tensor, Tensor, Tensor, Tensor]:
    """Return a model, its inputs and labels to train on, and those to test on.

    Where nothing but the head is trained, the inputs are what the frozen body makes of them.
    """
    model, (x, y, test_x, test_y) = part(classifier()), feelings()
    if any(p.requires_grad for p in model.body.parameters()):
        return model, x, y, test_x, test_y
    known, tested = _bodies()
    return nn.Sequential(nn.Identity(), model.head), known, y, tested, test_y


@cache
def _bodies() -> tuple[Tensor, Tensor]:
    x, _, test_x, _ = feelings()
    body = classifier().body
    return features(body, x), features(body, test_x)
