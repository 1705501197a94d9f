"""The idx file format of MNIST and its kin, read strictly: raw or gzip.

    bytes 0, 1   zero
    byte 2       type of the values: 0x08 unsigned byte, 0x0C signed 32-bit
    byte 3       number of axes n
    4n bytes     length of each axis, unsigned 32-bit big-endian
    the rest     the values, last axis fastest, big-endian

Nothing may follow the values.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from baffle.data.files import read_bytes
from baffle.errors import DataError

_CODES = {np.dtype(np.uint8): 0x08, np.dtype(np.int32): 0x0C}
_GZIP = b"\x1f\x8b"  # no idx file starts so: its first two bytes are zero
_LIMIT = 1 << 31  # bytes after decompression: a small file cannot fill the memory


def read_idx(path: Path, dtype: DTypeLike, axes: int) -> NDArray[Any]:
    """The array in an idx file.

    Args:
        path: the file, raw or gzip; told apart by its first bytes, not by its name.
        dtype: what the values must be, np.uint8 or np.int32.
        axes: how many axes the array must have.

    Returns:
        The values in this machine's byte order, shaped as the header says.

    Raises:
        DataError: another magic, too few or too many bytes, or a damaged gzip stream; names the
            file, what was expected and what was found.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        ...     read_idx(path, np.uint8, axes=1)
        array([5, 0, 4], dtype=uint8)
    """
    content, whole = _content(path)
    shape = _shape(path, content, np.dtype(dtype), axes)
    expected = 4 + 4 * axes + math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise DataError(
            f"{path}: expected {expected} bytes for shape {shape}, found "
            f"{len(content)}; the file is {_wrong(len(content), expected)}, fetch it again."
        )
    if not whole:
        raise DataError(
            f"{path}: expected {expected} bytes and a gzip checksum, found the {expected} bytes "
            "alone; the file is truncated, fetch it again."
        )
    values = np.frombuffer(content, np.dtype(dtype).newbyteorder(">"), offset=4 + 4 * axes)
    return values.reshape(shape).astype(dtype)


def _wrong(found: int, expected: int) -> str:
    return "truncated" if found < expected else "followed by other bytes"


def _shape(path: Path, content: bytes, dtype: np.dtype[Any], axes: int) -> tuple[int, ...]:
    magic = bytes([0, 0, _CODES[dtype], axes])
    if len(content) < 4 + 4 * axes:
        raise DataError(
            f"{path}: expected an idx header of {4 + 4 * axes} bytes, found {len(content)} bytes "
            "in all; the file is truncated, fetch it again."
        )
    if content[:4] != magic:
        raise DataError(
            f"{path}: expected the idx magic {magic.hex()} ({dtype}, {axes} axes), found "
            f"{content[:4].hex()}; this is another kind of file."
        )
    return tuple(np.frombuffer(content, ">u4", count=axes, offset=4).tolist())


def _content(path: Path) -> tuple[bytes, bool]:
    """The file's bytes after decompression, and whether the stream came to its proper end."""
    raw = read_bytes(path)
    if not raw.startswith(_GZIP):
        return raw, True
    stream = zlib.decompressobj(wbits=31)  # 31: gzip, with header and checksum verified
    try:
        content = stream.decompress(raw, _LIMIT)
    except zlib.error as error:
        raise DataError(
            f"{path}: expected a sound gzip stream, got: {error}; the file is damaged, fetch it "
            "again."
        ) from error
    if stream.unused_data:
        raise DataError(
            f"{path}: expected {len(raw) - len(stream.unused_data)} bytes of gzip, found "
            f"{len(raw)}; the file is followed by other bytes, fetch it again."
        )
    return content, stream.eof
