"""Gradient inversion: what a server recovers of images, from gradients and from K scalars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.harness import Cell, Study
from experiments.inversion import picture, tables

DEFAULT: Mapping[str, Any] = {
    "weights": "wide",
    "attack": "public",
    "n": 1,
    "K": 0,
    "bits": 16,
    "noise": 0.0,
}


def _first() -> Iterator[dict[str, Any]]:
    """Yield what is measured under every key."""
    yield {"attack": "control"}
    yield {"attack": "idlg"}
    yield from ({"K": K} for K in (64, 256, 16, 1024))
    yield from ({"n": n, "K": K} for K in (256, 1024) for n in (10, 3, 30))


def _then() -> Iterator[dict[str, Any]]:
    """Yield what is measured under one key."""
    yield from ({"attack": attack} for attack in ("dlg", "cosine", "public"))
    yield from ({"K": K, "attack": "cosine"} for K in (256, 1024))
    yield from ({"K": K, "attack": "tried"} for K in (16, 64, 256))
    yield from ({"n": n} for n in (3, 10, 30))
    yield {"n": 4, "K": 1024}  # as of one client with a batch of 4
    yield from ({"K": K, "bits": bits} for K in (64, 256) for bits in (8, 4))
    yield from ({"K": 256, "noise": noise} for noise in (0.01, 0.1, 1.0))
    yield from ({"weights": w, "K": K} for w in ("usual", "trained") for K in (0, 64, 256))


def _of_cifar() -> Iterator[dict[str, Any]]:
    """Yield what is measured on CIFAR-10, under one key."""
    yield {"attack": "control"}
    yield {"attack": "idlg"}
    yield from ({"K": K} for K in (64, 256, 1024))
    yield from ({"n": 10, "K": K} for K in (0, 1024))


def _last() -> Iterator[dict[str, Any]]:
    """Yield what takes longest: many directions, and more than weights, a linear system."""
    yield from ({"K": 4096, "n": n} for n in (1, 30))
    yield {"K": 32_768}


def _cell(data: str, key: int, given: Mapping[str, Any]) -> Cell:
    asked = {"data": data, "key": key, **DEFAULT, **given}
    return Cell(asked, {"measure": asked})


def _measure(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    from experiments.inversion.measure import measure  # torch is for those who run, not who read

    return measure(asked)


STUDY = Study(
    module=__name__,
    folder=Path(__file__).resolve().parent,
    cells=[
        *(_cell("mnist", 0, given) for given in _first()),
        *(_cell("cifar10", 0, given) for given in _of_cifar()),
        *(_cell("mnist", 0, given) for given in _then()),
        *(_cell("mnist", 1, given) for given in _first()),
        *(_cell("mnist", 0, given) for given in _last()),
    ],
    tables={
        "inversion-controls": tables.controls,
        "inversion-alone": tables.alone,
        "inversion-sums": tables.sums,
        "inversion-protected": tables.protected,
        "inversion-weights": tables.weights,
        "inversion-cifar10": tables.cifar10,
    },
    figures={"inversion.png": picture.draw},
    measure=_measure,
)
