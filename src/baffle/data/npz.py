"""NumPy's npz archives, read strictly: only the arrays asked for, and no pickled objects."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.errors import DataError

_LIMIT = 1 << 31  # bytes after decompression: a small file cannot fill the memory


def read_npz(path: Path, wanted: Mapping[str, tuple[str, int]]) -> dict[str, NDArray[Any]]:
    """Some arrays of an npz archive.

    Args:
        path: the file.
        wanted: by name, the dtype and the number of axes that an array must have, for instance
            {"y": ("int8", 1)}.

    Returns:
        By name, the arrays as they are stored.

    Raises:
        DataError: no npz archive, an array that is missing, damaged, larger than 2 GiB, of another
            dtype or of other axes; names the file and the array.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "rows.npz")
        ...     np.savez(path, y=np.array([5, 0], np.int8))
        ...     read_npz(path, {"y": ("int8", 1)})["y"].tolist()
        [5, 0]
    """
    _check_size(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            _check_names(path, list(archive.files), wanted)
            arrays = {name: archive[name] for name in wanted}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    for name, (dtype, axes) in wanted.items():
        _check_form(path, name, arrays[name], dtype, axes)
    return arrays


def _check_size(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    if size > _LIMIT:
        raise DataError(f"{path}: expected at most {_LIMIT} bytes when unpacked, found {size}.")


def _check_names(path: Path, found: list[str], wanted: Mapping[str, Any]) -> None:
    absent = [name for name in wanted if name not in found]
    if absent:
        raise DataError(
            f"{path}: expected the arrays {', '.join(wanted)}, found {', '.join(found) or 'none'}; "
            "this is another archive."
        )


def _check_form(path: Path, name: str, array: NDArray[Any], dtype: str, axes: int) -> None:
    if not isinstance(array, np.ndarray):  # NumPy hands other members over as bytes
        raise DataError(f"{path}: expected a sound npz archive, found no array in {name}.")
    if array.dtype != np.dtype(dtype) or array.ndim != axes:
        raise DataError(
            f"{path}: expected {name} as {dtype} with {axes} axes, got {array.dtype} "
            f"{array.shape}; this is another archive."
        )


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: expected a sound npz archive, got: {error}; fetch it again.")
