"""What the tests of data share: the real files beside the repository, and small made ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data, which is not part of the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED}")
    return SHARED


class IdxFiles:
    """Writes idx files by hand, so that the reader is not tested against itself."""

    codes = {"uint8": 8, "int32": 12}  # noqa: RUF012

    @classmethod
    def encode(cls, array: np.ndarray[Any, Any]) -> bytes:
        head = bytes([0, 0, cls.codes[str(array.dtype)], array.ndim])
        axes = b"".join(length.to_bytes(4, "big") for length in array.shape)
        return head + axes + array.astype(array.dtype.newbyteorder(">")).tobytes()

    @classmethod
    def write(cls, folder: Path, name: str, array: np.ndarray[Any, Any]) -> Path:
        content = cls.encode(array)
        path = folder / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path


@pytest.fixture(scope="session")
def idx_files() -> type[IdxFiles]:
    return IdxFiles


@pytest.fixture
def small_mnist(tmp_path: Path, idx_files: type[IdxFiles]) -> Path:
    """Four files in MNIST's form, two of them gzipped: 20 train and 10 test images."""
    rng = np.random.Generator(np.random.Philox(key=1))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for prefix, rows in (("train", 20), ("t10k", 10)):
        images = rng.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        labels = (np.arange(rows) % 10).astype(np.uint8)
        idx_files.write(folder, f"{prefix}-images-idx3-ubyte.gz", images)
        idx_files.write(folder, f"{prefix}-labels-idx1-ubyte", labels)
    return tmp_path
