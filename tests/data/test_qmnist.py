from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baffle.data import load, partition
from baffle.errors import DataError

TRAIN, TEST = "qmnist-train-labels-idx2-int", "qmnist-test-labels-idx2-int"


def table(rows: int, first: int) -> Any:
    """As QMNIST has it: class, series, writer, digit of the writer, NIST class, place, 0, 0."""
    found = np.zeros((rows, 8), np.int32)
    found[:, 0] = np.arange(rows) % 10
    found[:, 2] = first + np.arange(rows) // 5
    return found


@pytest.fixture
def small_qmnist(small_mnist: Path, idx_files: Any) -> Path:
    """Four train writers; the test file goes on behind MNIST's ten test rows, as the real one."""
    idx_files.write(small_mnist / "mnist", f"{TRAIN}.gz", table(20, 100))
    idx_files.write(small_mnist / "mnist", TEST, table(50, 900))
    return small_mnist


def test_rows_are_mnists_and_have_writers(small_qmnist: Path) -> None:
    data, plain = load("qmnist", small_qmnist, size=28), load("mnist", small_qmnist, size=28)
    assert np.array_equal(data.train_x, plain.train_x)
    assert data.natural["writer"].tolist() == [100] * 5 + [101] * 5 + [102] * 5 + [103] * 5
    assert data.natural_test["writer"].tolist() == [900] * 5 + [901] * 5
    assert data.name == "qmnist"


def test_a_client_is_a_writer(small_qmnist: Path) -> None:
    data = load("qmnist", small_qmnist)
    assert [len(rows) for rows in partition("natural", data, 4, seed=0)] == [5, 5, 5, 5]


@pytest.mark.parametrize("name", [f"{TRAIN}.gz", TEST])
def test_without_the_writers_it_is_no_qmnist(small_qmnist: Path, name: str) -> None:
    (small_qmnist / "mnist" / name).unlink()
    with pytest.raises(DataError, match=f"expected the file {name.removesuffix('.gz')}"):
        load("qmnist", small_qmnist)


@pytest.mark.parametrize("wrong", [table(9, 0), table(20, 0)[1:], table(20, 0)[:, :7]])
def test_labels_of_another_set_are_refused(small_qmnist: Path, idx_files: Any, wrong: Any) -> None:
    idx_files.write(small_qmnist / "mnist", TEST, np.ascontiguousarray(wrong))
    with pytest.raises(DataError, match=f"{TEST}: expected 10 rows of 8 columns"):
        load("qmnist", small_qmnist)
