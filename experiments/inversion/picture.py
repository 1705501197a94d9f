"""Originals and what is recovered of them, by what is seen and over how many clients."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.harness import Results
from experiments.harness.pictures import INK, SOFT, slide
from experiments.inversion.tables import extras, together, view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
SIDE, ASPECT, GAP = 0.044, 16 / 9, 0.003  # of an image, in widths of the figure
TOP, STEP, WORDS = 0.735, 0.0945, 0.118
Row = tuple[str, dict[str, Any]]

USUAL = {"weights": "wide", "attack": "public", "n": 1, "K": 0, "bits": 16, "noise": 0.0, "key": 0}
ALONE: Sequence[Row] = [
    ("gradient", {"attack": "idlg"}),
    *((view(K), {"K": K}) for K in (4096, 1024, 256, 64, 16)),
    ("class mean", {"attack": "control"}),
]
SUMS: Sequence[Row] = [
    *((f"gradient, n = {n}", {"n": n}) for n in (3, 10, 30)),
    *((f"K = 1,024, n = {n}", {"n": n, "K": 1024}) for n in (3, 10, 30)),
    ("K = 4,096, n = 30", {"n": 30, "K": 4096}),
]
CIFAR: Sequence[Row] = [
    ("gradient", {"attack": "idlg"}),
    *((view(K), {"K": K}) for K in (1024, 256, 64)),
    ("gradient, n = 10", {"n": 10}),
    ("K = 1,024, n = 10", {"n": 10, "K": 1024}),
    ("class mean", {"attack": "control"}),
]
BLOCKS = (
    ("mnist", "MNIST, a client alone in its sum", ALONE, 0.03),
    ("mnist", "MNIST, a sum over n clients", SUMS, 0.355),
    ("cifar10", "CIFAR-10", CIFAR, 0.68),
)


def draw(results: Results) -> Figure:
    """Return the picture."""
    figure = slide(
        "What a server can recover of clients' images from one round",
        "One image a client; K scalars along known directions; labels known; prior from public "
        "images; median PSNR",
    )
    for data, title, rows, left in BLOCKS:
        found = results.select(data=data)
        if controls := extras(found.select(attack="control", key=0)):
            figure.text(left, 0.85, title, size=15, weight="bold", color=INK)
            _row(figure, "original", controls[0]["original"]["images"], data, (left, TOP))
            _rows(figure, found, data, rows, left)
    return figure


def _rows(figure: Figure, results: Results, data: str, rows: Sequence[Row], left: float) -> None:
    known = [(words, extras(results.select(**{**USUAL, **labels}))) for words, labels in rows]
    done = [(words, found) for words, found in known if found]
    for place, (words, found) in enumerate(done, start=1):
        some = [extra["class"] for extra in found] if "class" in found[0] else found
        shown = f"{words}\n{statistics.median(together(some, 'psnr')):.1f} dB"
        _row(figure, shown, some[0]["images"], data, (left, TOP - STEP * place))


def _row(figure: Figure, words: str, packed: str, data: str, at: tuple[float, float]) -> None:
    left, bottom = at
    figure.text(left, bottom + SIDE * ASPECT / 2, words, va="center", size=12, color=SOFT)
    for column, image in enumerate(unpacked(packed, SHAPES[data])):
        x = left + WORDS + column * (SIDE + GAP)
        axes = figure.add_axes((x, bottom, SIDE, SIDE * ASPECT))
        axes.imshow(image.transpose(1, 2, 0).squeeze(), cmap="gray", vmin=0, vmax=1)
        axes.axis("off")


def packed(images: NDArray[np.float64]) -> str:
    """Return pixels in 0 … 1 as 8 bits each, in base64.

    Example:
        >>> unpacked(packed(np.ones((1, 1, 2, 2))), (1, 2, 2)).tolist()
        [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    return base64.b64encode(np.rint(255 * images).astype(np.uint8).tobytes()).decode()


def unpacked(text: str, in_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the images [N, C, H, W] that `packed` made."""
    flat = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    images: NDArray[np.float64] = flat.reshape(-1, *in_shape) / 255
    return images
