"""MNIST, or any data set in its four files, resized to 32×32 as the reference code does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Dataset, Floats, Labels
from baffle.data.files import find_all, find_file
from baffle.data.idx import read_idx
from baffle.data.resize import resize
from baffle.data.writers import TRAIN, read_writers
from baffle.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SIDE = 28
SIZES = (28, 32)
RAW = (0.0, 255.0)  # centre and scale that take bytes to [0, 1]
FOLDERS, SUFFIXES = ("mnist", "MNIST/raw"), ("", ".gz")
_HOW = (
    "torchvision.datasets.MNIST(root, download=True) puts them into root/MNIST/raw; put them into "
    "a folder mnist."
)


def load(root: str | Path | None = None, *, size: int = 32, normalise: bool = False) -> Dataset:
    """MNIST: 60,000 train and 10,000 test images of ten digits, pixels in [0, 1] or normalised.

    Args:
        root: folder that holds the four idx files (raw or .gz), or a folder mnist or MNIST/raw
            with them; None searches BAFFLE_DATA, then ~/.cache/baffle.
        size: pixels a side: 32 resizes as the reference code does, 28 leaves them as they are.
        normalise: subtract the mean of all train pixels and divide by their standard deviation, two
            numbers (0.1307 and 0.3081 for MNIST).

    Returns:
        Rows float32 (n, 1, size, size). Where QMNIST's train labels lie beside the four files,
        natural["writer"] holds the NIST writer of each train row.

    Raises:
        DataError: a file is missing, truncated, longer than it says, or does not fit the others.

    Example:
        >>> load("/nowhere")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the files train-images-idx3-ubyte, ...
    """
    if size not in SIZES:
        raise DataError(f"mnist: expected size 28 or 32, got {size}; other sizes are not offered.")
    paths = find_all(FILES, root, FOLDERS, SUFFIXES, _HOW)
    train_x, train_y = _split(paths[0], paths[1])
    test_x, test_y = _split(paths[2], paths[3])
    centre, scale = moments(train_x) if normalise else RAW
    return Dataset(
        "mnist",
        pixels(train_x, size, centre, scale),
        train_y,
        pixels(test_x, size, centre, scale),
        test_y,
        classes=10,
        natural=_writers(paths[0].parent, train_y),
    )


def moments(images: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and standard deviation of all bytes, by sums of integers: the same everywhere.

    Example:
        >>> moments(np.array([1, 3], np.uint8))
        (2.0, 1.0)
    """
    counts = np.bincount(images.reshape(-1), minlength=256).astype(np.int64)
    values, n = np.arange(256), images.size
    total, squares = int(counts @ values), int(counts @ values**2)
    return total / n, math.sqrt(n * squares - total * total) / n


def pixels(
    images: NDArray[np.uint8], size: int, centre: float = RAW[0], scale: float = RAW[1]
) -> Floats:
    """Images as a model takes them.

    Args:
        images: bytes (n, 28, 28).
        size: pixels a side, 28 or 32.
        centre, scale: a byte becomes (byte - centre)/scale.

    Returns:
        float32 (n, 1, size, size), by default in [0, 1].

    Example:
        >>> float(pixels(np.full((1, 28, 28), 255, np.uint8), 32).min())
        1.0
    """
    values = images.astype(np.float32)
    # Resize the bytes and divide afterwards: from 28 to 32 every weight is a sixteenth, so the
    # products are exact in float32 whatever the order of the sums, and only the division rounds.
    # The same bits come out on every machine.
    resized = values if size == SIDE else resize(values, size)
    if centre:
        resized -= np.float32(centre)
    resized /= np.float32(scale)
    return resized[:, None]


def _split(images: Path, labels: Path) -> tuple[NDArray[np.uint8], Labels]:
    x = read_idx(images, np.uint8, axes=3)
    y = read_idx(labels, np.uint8, axes=1)
    if x.shape[1:] != (SIDE, SIDE):
        raise DataError(
            f"{images}: expected images of {SIDE}×{SIDE} pixels, found {x.shape[1]}×{x.shape[2]}; "
            "this is another data set."
        )
    if len(x) != len(y):
        raise DataError(
            f"{labels}: expected {len(x)} labels, one an image of {images.name}, found {len(y)}; "
            "the two files are of different data sets."
        )
    return x, y.astype(np.int64)


def _writers(folder: Path, labels: Labels) -> dict[str, NDArray[Any]]:
    path = find_file(folder, TRAIN, SUFFIXES)
    return {} if path is None else {"writer": read_writers(path, labels)}
