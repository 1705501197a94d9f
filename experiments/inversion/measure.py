"""One cell: a network, images, what the server sees of them, an attack, and how alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from baffle.data import Dataset, load
from experiments.inversion import similarity
from experiments.inversion.attack import Found, Victim, label_of, recover
from experiments.inversion.network import lenet, train
from experiments.inversion.observed import Observed, of_gradients, of_scalars
from experiments.inversion.picture import packed
from experiments.inversion.public import Public

OPTIONS: Mapping[str, Mapping[str, Any]] = {"mnist": {"size": 28}, "cifar10": {"normalise": False}}
PUBLIC = 12_000  # training images that the attacker has; victims are test images
IMAGES = {1: 8, 3: 9, 4: 8, 10: 10, 30: 30}  # attacked in a cell, by clients in a sum
SHOWN = 4
SEEKING = ("dlg", "tried")  # attacks that are not told the labels
Pixels = similarity.Images


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures of the recovered images.

    Args:
        asked: "data", "key", "weights" ("wide", "usual" or "trained"), "attack", "n" clients in a
            sum, "K" (0: gradients), "bits", "noise" (multiplier); attack "control" for none.
    """
    data, n, key = _data(asked["data"]), asked["n"], asked["key"]
    x, y = victims(data, IMAGES[n], key)
    images, labels = x.view(-1, n, *data.in_shape), y.view(-1, n)
    if asked["attack"] == "control":
        return _controls(data, x, y)
    model = _model(data, asked["weights"], key)
    if asked["K"]:
        seen = of_scalars(model, images, labels, asked["K"], asked["bits"], asked["noise"], key)
    else:
        seen = of_gradients(model, images, labels)
    found = recover(
        asked["attack"], Victim(model, labels, data.in_shape), seen, _public(asked["data"]), key
    )
    matched = np.concatenate(
        [_matched(a, b) for a, b in zip(_pixels(images), _pixels(found.images), strict=True)]
    )
    return _figures(_pixels(x), matched, data) | {
        "labels": _right(asked["attack"], found, seen, labels),
        "noise": seen.noise,
    }


def victims(data: Dataset, count: int, key: int) -> tuple[Tensor, Tensor]:
    """Return test images and their labels, drawn by the key, none twice."""
    order = np.random.Generator(np.random.Philox(key)).permutation(len(data.test_x))[:count]
    return _image(data.test_x[order]), torch.from_numpy(data.test_y[order])


def _image(x: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))


def _pixels(images: Tensor) -> Pixels:
    return images.numpy().astype(np.float64)


@lru_cache(1)
def _data(name: str) -> Dataset:
    return load(name, **OPTIONS[name])


@lru_cache(1)
def _public(name: str) -> Public:
    return Public.of(_image(_data(name).train_x[:PUBLIC]))


def _model(data: Dataset, weights: str, key: int) -> nn.Module:
    model = lenet(data.in_shape, weights, key)
    if weights == "trained":
        train(model, _image(data.train_x[-PUBLIC:]), torch.from_numpy(data.train_y[-PUBLIC:]), key)
    return model


def _matched(originals: Pixels, found: Pixels) -> Pixels:
    """Return the recovered images of a set in the order that suits the originals best."""
    cost = np.square(originals[:, None] - found[None]).mean(axis=(2, 3, 4))
    _, order = linear_sum_assignment(cost)
    chosen: Pixels = found[order]
    return chosen


def _figures(originals: Pixels, found: Pixels, data: Dataset) -> dict[str, Any]:
    return {
        "mse": _rounded(similarity.mean_squared_error(originals, found)),
        "psnr": _rounded(similarity.psnr(originals, found)),
        "ssim": _rounded(similarity.ssim(originals, found)),
        "named": _named(originals, found, data),
        "images": packed(found[:SHOWN]),
    }


def _right(attack: str, found: Found, seen: Observed, labels: Tensor) -> float | None:
    """Return the share of labels told: by an attack that seeks them, else from the last bias."""
    if labels.shape[1] > 1:
        return None
    told = found.labels[:, 0] if attack in SEEKING else label_of(seen)
    return float((told == labels[:, 0]).double().mean())


def _controls(data: Dataset, x: Tensor, y: Tensor) -> dict[str, Any]:
    """Return the figures of guesses that need no round: mean images, and another image."""
    train_x, train_y = _image(data.train_x[:PUBLIC]), torch.from_numpy(data.train_y[:PUBLIC])
    classes = torch.stack([train_x[train_y == label].mean(dim=0) for label in y])
    originals = _pixels(x)
    guesses = {
        "mean": train_x.mean(dim=0).expand_as(x),
        "class": classes,
        "other": train_x[: len(x)],
        "original": x,
    }
    return {name: _figures(originals, _pixels(guess), data) for name, guess in guesses.items()}


def _named(originals: Pixels, found: Pixels, data: Dataset) -> float:
    """Return the share of recovered images whose nearest of all test images is the original."""
    crowd = _image(data.test_x).flatten(1)
    nearest = torch.cdist(torch.tensor(found, dtype=torch.float32).flatten(1), crowd).argmin(dim=1)
    same = crowd[nearest] == torch.tensor(originals, dtype=torch.float32).flatten(1)
    return float(same.all(dim=1).double().mean())


def _rounded(values: Pixels) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
