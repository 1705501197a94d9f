"""CIFAR-10 from its binary files, normalised as the reference code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Dataset, Floats, Labels
from baffle.data.files import find_all, read_bytes
from baffle.errors import DataError

FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # one label byte, then the red, green and blue planes
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)
_HOW = (
    "Unpack https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, which makes a folder "
    "cifar-10-batches-bin."
)


def load(
    root: str | Path | None = None, *, normalise: bool = True, records: int = 10_000
) -> Dataset:
    """CIFAR-10: 50,000 train and 10,000 test colour images of ten things.

    Args:
        root: folder that holds the six .bin files, or a folder cifar-10-batches-bin or cifar-10
            with them; None searches BAFFLE_DATA, then ~/.cache/baffle.
        normalise: subtract the mean and divide by the standard deviation of each channel, as the
            reference code has them; otherwise pixels are in [0, 1].
        records: images a file; 10,000 in the published files, fewer in cut-down copies.

    Returns:
        Rows float32 (n, 3, 32, 32).

    Raises:
        DataError: a file is missing, or its length is not exactly `records` records.

    Example:
        >>> load("/nowhere")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the files data_batch_1.bin, ...
    """
    paths = find_all(FILES, root, ("cifar-10-batches-bin", "cifar-10"), ("",), _HOW)
    batches = [read_batch(path, records) for path in paths]
    train_x = np.empty((5 * records, *SHAPE), np.float32)
    for number, (images, _) in enumerate(batches[:5]):
        train_x[number * records : (number + 1) * records] = pixels(images, normalise)
    train_y = np.concatenate([labels for _, labels in batches[:5]])
    images, test_y = batches[5]
    return Dataset("cifar10", train_x, train_y, pixels(images, normalise), test_y, classes=10)


def read_batch(path: Path, records: int) -> tuple[NDArray[np.uint8], Labels]:
    """One binary file's images and labels.

    Args:
        path: the file.
        records: how many images it must hold.

    Returns:
        Bytes (records, 3, 32, 32) and labels int64 (records,).

    Raises:
        DataError: the file's length is not exactly 3073 × `records` bytes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "batch.bin")
        ...     _ = path.write_bytes(bytes([7]) + bytes(3072))
        ...     read_batch(path, records=1)[1]
        array([7])
    """
    content = read_bytes(path)
    if len(content) != records * RECORD:
        raise DataError(
            f"{path}: expected {records * RECORD} bytes ({records} records of {RECORD}), found "
            f"{len(content)}; fetch the file again, or pass records for a cut-down copy."
        )
    table = np.frombuffer(content, np.uint8).reshape(records, RECORD)
    return table[:, 1:].reshape(records, *SHAPE), table[:, 0].astype(np.int64)


def pixels(images: NDArray[np.uint8], normalise: bool) -> Floats:
    """Images as a model takes them.

    Args:
        images: bytes (n, 3, 32, 32).
        normalise: as in `load`.

    Returns:
        float32 (n, 3, 32, 32).

    Example:
        >>> float(pixels(np.full((1, *SHAPE), 255, np.uint8), normalise=False).max())
        1.0
    """
    values = images.astype(np.float32)
    values /= np.float32(255)
    if normalise:
        values -= np.array(MEAN, np.float32).reshape(3, 1, 1)
        values /= np.array(STD, np.float32).reshape(3, 1, 1)
    return values
