from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baffle.data.idx import read_idx
from baffle.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
RAW = bytes.fromhex("00000803 00000002 00000003 00000004") + bytes(range(24))
GZIP = gzip.compress(RAW, mtime=0)
CASES = pytest.mark.parametrize("content", [RAW, GZIP], ids=["raw", "gzip"])
once_a_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(folder: Path, content: bytes, dtype: Any = np.uint8, axes: int = 3) -> Any:
    path = folder / "images"
    path.write_bytes(content)
    return read_idx(path, dtype, axes)


@CASES
def test_the_values_come_out_as_the_header_says(content: bytes, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, content), IMAGES)


def test_integers_are_big_endian(tmp_path: Path, idx_files: Any) -> None:
    table = np.array([[1, -2], [70_000, 4]], np.int32)
    out = read(tmp_path, idx_files.encode(table), np.int32, axes=2)
    assert out.dtype == np.int32
    np.testing.assert_array_equal(out, table)


@CASES
@given(data=st.data())
@once_a_test
def test_every_truncation_is_refused(content: bytes, tmp_path: Path, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DataError, match=r"images: expected .* found|images: expected .* got"):
        read(tmp_path, content[:length])


@CASES
@given(extra=st.binary(min_size=1, max_size=40))
@once_a_test
def test_whatever_follows_is_refused(content: bytes, tmp_path: Path, extra: bytes) -> None:
    with pytest.raises(DataError, match="followed by other bytes"):
        read(tmp_path, content + extra)


def test_trailing_bytes_inside_the_stream_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected 40 bytes .* found 41; .* followed by"):
        read(tmp_path, gzip.compress(RAW + b"\0"))


@given(place=st.integers(0, len(GZIP) - 1), flip=st.integers(1, 255))
@once_a_test
def test_a_damaged_stream_never_gives_other_values(tmp_path: Path, place: int, flip: int) -> None:
    damaged = bytearray(GZIP)
    damaged[place] ^= flip
    try:
        out = read(tmp_path, bytes(damaged))
    except DataError:
        return
    # The time and the system in the gzip header mean nothing to the content.
    np.testing.assert_array_equal(out, IMAGES)


def test_lengths_are_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"images: expected 40 bytes for shape .* found 33; .*trunc"
    ):
        read(tmp_path, RAW[:33])
    with pytest.raises(DataError, match="found the 40 bytes alone; the file is truncated"):
        read(tmp_path, GZIP[:-8])


@pytest.mark.parametrize("axes", [1, 2])
def test_another_number_of_axes_is_refused(tmp_path: Path, axes: int) -> None:
    with pytest.raises(DataError, match=r"magic 0000080. \(uint8, . axes\), found 00000803"):
        read(tmp_path, RAW, axes=axes)


def test_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"magic 00000c03 \(int32, 3 axes\), found 00000803"):
        read(tmp_path, RAW, np.int32)


def test_a_header_that_claims_the_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected 79228162458924105385300197391 bytes"):
        read(tmp_path, RAW[:4] + b"\xff" * 12 + RAW[16:])


def test_a_small_file_cannot_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baffle.data.idx._LIMIT", 1000)
    bomb = zlib.compressobj(wbits=31)
    with pytest.raises(DataError, match=r"expected 40 bytes .* found 1000"):
        read(tmp_path, bomb.compress(RAW + bytes(10**7)) + bomb.flush())


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a file that can be read, got: Is a directory"):
        read_idx(tmp_path, np.uint8, 1)
