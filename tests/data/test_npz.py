from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from baffle.data.npz import read_npz
from baffle.errors import DataError

WANTED = {"y": ("int8", 1)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.npz"


def test_only_what_is_asked_for_is_read(path: Path) -> None:
    np.savez(path, y=np.array([1, 2], np.int8), z=np.zeros(3))
    found = read_npz(path, WANTED)
    assert list(found) == ["y"]
    assert found["y"].tolist() == [1, 2]


def test_pickled_objects_are_refused(path: Path) -> None:
    np.savez(path, y=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match=r"rows\.npz: expected a sound npz archive"):
        read_npz(path, WANTED)


def test_every_truncation_is_refused(path: Path) -> None:
    np.savez_compressed(path, y=np.arange(100, dtype=np.int8))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"rows\.npz: expected"):
            read_npz(path, WANTED)


def test_a_flipped_bit_in_the_values_is_noticed(path: Path) -> None:
    np.savez(path, y=np.arange(100, dtype=np.int8))
    content = bytearray(path.read_bytes())
    place = content.index(bytes(range(50, 60)))
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="sound npz archive"):
        read_npz(path, WANTED)


@pytest.mark.parametrize("array", [np.zeros(3, np.int16), np.zeros((3, 1), np.int8)])
def test_another_form_is_refused(path: Path, array: np.ndarray) -> None:
    np.savez(path, y=array)
    with pytest.raises(DataError, match="expected y as int8 with 1 axes, got int"):
        read_npz(path, WANTED)


def test_an_absent_array_is_named(path: Path) -> None:
    np.savez(path, z=np.zeros(3))
    with pytest.raises(DataError, match="expected the arrays y, found z"):
        read_npz(path, WANTED)


def test_an_archive_that_unpacks_to_more_than_memory_is_refused_unread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(path, y=np.zeros(10**6, np.int8))
    monkeypatch.setattr("baffle.data.npz._LIMIT", 10**5)
    with pytest.raises(DataError, match="at most 100000 bytes"):
        read_npz(path, WANTED)


def test_another_zip_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y.npy", "no array")
    with pytest.raises(DataError, match="sound npz archive"):
        read_npz(path, WANTED)
