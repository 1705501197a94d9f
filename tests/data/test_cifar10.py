from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from baffle.data import cifar10, load
from baffle.errors import DataError

RECORDS = 4


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Six files of four records: file f, record r has label (f + r) % 10 and red plane f · 10."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number, name in enumerate(cifar10.FILES):
        planes = [np.full(1024, value, np.uint8) for value in (number * 10, 0, 255)]
        pixels = np.concatenate(planes).tobytes()
        records = [bytes([(number + record) % 10]) + pixels for record in range(RECORDS)]
        (folder / name).write_bytes(b"".join(records))
    return tmp_path


def test_the_layout(small: Path) -> None:
    data = load("cifar10", small, normalise=False, records=RECORDS)
    assert data.train_x.shape == (20, 3, 32, 32)
    assert data.train_y.tolist()[:8] == [0, 1, 2, 3, 1, 2, 3, 4]
    assert data.test_y.tolist() == [5, 6, 7, 8]
    np.testing.assert_allclose(data.train_x[5, :, 0, 0], [10 / 255, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(data.test_x[0, :, 31, 31], [50 / 255, 0, 1], rtol=1e-6)


def test_normalised_as_the_reference_does(small: Path) -> None:
    data = load("cifar10", small, records=RECORDS)
    expected = [(0 - 0.4914) / 0.2023, (0 - 0.4822) / 0.1994, (1 - 0.4465) / 0.2010]
    np.testing.assert_allclose(data.train_x[0, :, 5, 6], expected, rtol=1e-6)


@pytest.mark.parametrize("change", [-1, 1, -3073])
def test_the_length_must_be_exact(small: Path, change: int) -> None:
    path = small / "cifar-10-batches-bin" / "data_batch_3.bin"
    content = path.read_bytes() + b"\0"
    length = RECORDS * 3073 + change
    path.write_bytes(content[:length])
    with pytest.raises(DataError, match=rf"data_batch_3\.bin: expected 12292 .* found {length};"):
        load("cifar10", small, records=RECORDS)


def test_published_files_are_expected_unless_told(small: Path) -> None:
    with pytest.raises(DataError, match=r"data_batch_1\.bin: expected 30730000 bytes"):
        load("cifar10", small)


def test_a_label_outside_is_refused(small: Path) -> None:
    path = small / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(b"\x0a" + path.read_bytes()[1:])
    with pytest.raises(DataError, match="cifar10: test: expected labels in 0 … 9, found 6 … 10"):
        load("cifar10", small, records=RECORDS)


@pytest.mark.slow
def test_real_images(shared: Path, tmp_path: Path) -> None:
    script = runpy.run_path(str(shared / "cifar10_binary.py"))
    script["main"](tmp_path)
    data = load("cifar10", tmp_path, normalise=False)
    assert np.bincount(data.train_y).tolist() == [5000] * 10
    assert np.bincount(data.test_y).tolist() == [1000] * 10
    means = data.train_x.mean(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(means, cifar10.MEAN, atol=1e-4)
