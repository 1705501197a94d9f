from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baffle.data import Dataset, load
from baffle.data.idx import read_idx
from baffle.errors import DataError

TRAIN = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte"
WRITERS = "qmnist-train-labels-idx2-int"


def writers(labels: Any) -> Any:
    table = np.zeros((len(labels), 8), np.int32)
    table[:, 0] = labels
    table[:, 2] = 100 + np.arange(len(labels)) // 5
    return table


@pytest.mark.parametrize("size", [28, 32])
def test_shapes_types_and_range(small_mnist: Path, size: int) -> None:
    data = load("mnist", small_mnist, size=size)
    assert data.train_x.shape == (20, 1, size, size)
    assert data.test_x.shape == (10, 1, size, size)
    assert 0 <= data.train_x.min() <= data.train_x.max() <= 1
    assert data.natural == {}


@pytest.mark.parametrize("size", [28, 32])
def test_normalised_pixels_are_the_same_by_two_numbers(small_mnist: Path, size: int) -> None:
    raw = load("mnist", small_mnist, size=size)
    data = load("mnist", small_mnist, size=size, normalise=True)
    whole = load("mnist", small_mnist, size=28).train_x.astype(np.float64)
    for before, after in ((raw.train_x, data.train_x), (raw.test_x, data.test_x)):
        np.testing.assert_allclose(after, (before - whole.mean()) / whole.std(), atol=1e-5)


def test_the_files_may_lie_in_the_root_itself(small_mnist: Path) -> None:
    assert len(load("mnist", small_mnist / "mnist").test_y) == 10


def test_writers_are_natural_ids(small_mnist: Path, idx_files: Any) -> None:
    idx_files.write(small_mnist / "mnist", f"{WRITERS}.gz", writers(np.arange(20) % 10))
    assert load("mnist", small_mnist).natural["writer"].tolist()[::5] == [100, 101, 102, 103]


def test_writers_of_another_set_are_refused(small_mnist: Path, idx_files: Any) -> None:
    idx_files.write(small_mnist / "mnist", WRITERS, writers(np.arange(20)[::-1] % 10))
    with pytest.raises(DataError, match=f"{WRITERS}: expected 20 rows .* or other labels"):
        load("mnist", small_mnist)


def test_images_and_labels_must_match(small_mnist: Path, idx_files: Any) -> None:
    idx_files.write(small_mnist / "mnist", LABELS, np.zeros(19, np.uint8))
    with pytest.raises(DataError, match=f"{LABELS}: expected 20 labels, .* found 19"):
        load("mnist", small_mnist)


def test_images_must_be_28_by_28(small_mnist: Path, idx_files: Any) -> None:
    idx_files.write(small_mnist / "mnist", TRAIN, np.zeros((20, 28, 27), np.uint8))
    with pytest.raises(DataError, match=f"{TRAIN}: expected images of 28×28 .* found 28×27"):
        load("mnist", small_mnist)


def test_other_sizes_are_refused(small_mnist: Path) -> None:
    with pytest.raises(DataError, match="size 28 or 32, got 64"):
        load("mnist", small_mnist, size=64)


@pytest.fixture(scope="module")
def real(shared: Path) -> Dataset:
    return load("mnist", shared)


def test_real_labels(real: Dataset) -> None:
    assert real.train_y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(real.train_y).tolist() == train
    assert np.bincount(real.test_y).tolist() == test


def test_real_images_are_the_same_bits_everywhere(real: Dataset) -> None:
    digest = hashlib.sha256(real.test_x.tobytes()).hexdigest()
    assert digest == "b9f69edbf4216653821403e03a774a062d8d88a9ae4221c1601be2159a4be0bb"


def test_real_writers(real: Dataset) -> None:
    _, counts = np.unique(real.natural["writer"], return_counts=True)
    assert (len(counts), counts.min(), counts.max(), np.median(counts)) == (539, 19, 131, 116)


def test_real_pixels_have_the_published_mean_and_deviation(shared: Path) -> None:
    counts = np.bincount(read_idx(shared / "mnist" / TRAIN, np.uint8, axes=3).ravel())
    values = np.arange(256) / 255
    mean = np.average(values, weights=counts)
    assert mean == pytest.approx(0.1307, abs=5e-5)
    assert np.average((values - mean) ** 2, weights=counts) ** 0.5 == pytest.approx(
        0.3081, abs=5e-5
    )
