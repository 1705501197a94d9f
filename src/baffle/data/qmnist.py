"""MNIST with the people who wrote it: a federation of 539 writers, tested on 297 others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from baffle.data import mnist
from baffle.data.base import Dataset
from baffle.data.files import find_all
from baffle.data.writers import TEST, TRAIN, read_writers

_HOW = (
    "They lie at https://github.com/facebookresearch/qmnist; put them beside MNIST's four files, "
    "into a folder mnist."
)


def load(root: str | Path | None = None, *, size: int = 32) -> Dataset:
    """MNIST's rows with QMNIST's writers, which the partition "natural" makes clients of.

    No writer of a test row wrote a train row.

    Args:
        root: folder that holds MNIST's four files and QMNIST's two files of labels, or a folder
            mnist or MNIST/raw with them; None searches BAFFLE_DATA, then ~/.cache/baffle.
        size: pixels a side: 32 resizes as the reference code does, 28 leaves them as they are.

    Returns:
        Rows float32 (n, 1, size, size) in [0, 1]; natural["writer"] and natural_test["writer"].

    Raises:
        DataError: a file is missing, truncated, longer than it says, or does not fit the others.

    Example:
        >>> load("/nowhere")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the files train-images-idx3-ubyte, ...
    """
    data = mnist.load(root, size=size)
    paths = find_all((TRAIN, TEST), root, mnist.FOLDERS, mnist.SUFFIXES, _HOW)
    return replace(
        data,
        name="qmnist",
        natural={"writer": read_writers(paths[0], data.train_y)},
        natural_test={"writer": read_writers(paths[1], data.test_y)},
    )
