"""Where data files are looked for, and what is said when they are not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from baffle.errors import DataError

VARIABLE = "BAFFLE_DATA"


def folders(root: str | Path | None) -> list[Path]:
    """The folders that are searched, in order.

    Args:
        root: a folder named by the caller, which is then the only one: files found elsewhere would
            be a surprise. None: the variable BAFFLE_DATA, then ~/.cache/baffle.

    Returns:
        One or two folders, which need not exist.

    Example:
        >>> [str(folder) for folder in folders("/data")]
        ['/data']
    """
    if root is not None:
        return [Path(root).expanduser()]
    named = os.environ.get(VARIABLE)
    return [*([Path(named).expanduser()] if named else []), Path.home() / ".cache" / "baffle"]


def find_file(folder: Path, name: str, suffixes: Sequence[str] = ("",)) -> Path | None:
    """The file of this name in the folder, with the first suffix that exists.

    Args:
        folder: where to look; need not exist.
        name: the file's name.
        suffixes: what may follow the name, in order of preference, for instance ("", ".gz").

    Returns:
        The path, or None.

    Example:
        >>> find_file(Path("/nowhere"), "train-labels") is None
        True
    """
    paths = (folder / f"{name}{suffix}" for suffix in suffixes)
    return next((path for path in paths if path.is_file()), None)


def find_all(
    names: Sequence[str],
    root: str | Path | None,
    subfolders: Sequence[str],
    suffixes: Sequence[str],
    how: str,
) -> list[Path]:
    """All of a data set's files, from the first folder that holds every one.

    Args:
        names: the files' names.
        root: as in `folders`.
        subfolders: folders below each root that are tried, then the root itself.
        suffixes: as in `find_file`.
        how: a sentence that says how to get the files.

    Returns:
        One path a name, in order.

    Raises:
        DataError: no folder holds all; says which are missing, where it looked, how to get them.

    Example:
        >>> find_all(["a"], "/nowhere", ["sub"], [""], "Make them.")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the file a, found none; looked in ... Make them. Then ...
    """
    places = [base / sub for base in folders(root) for sub in (*subfolders, "")]
    found = [[find_file(place, name, suffixes) for name in names] for place in places]
    fullest = max(found, key=lambda paths: sum(path is not None for path in paths))
    present = [path for path in fullest if path is not None]
    if len(present) == len(names):
        return present
    absent = [name for name, path in zip(names, fullest, strict=True) if path is None]
    raise DataError(_missing(absent, present, places, suffixes, how))


def _missing(
    absent: list[str], present: list[Path], places: list[Path], suffixes: Sequence[str], how: str
) -> str:
    also = [suffix for suffix in suffixes if suffix]
    endings = f" (or with {', '.join(also)})" if also else ""
    files = "the file" if len(absent) == 1 else "the files"
    got = f"found only {', '.join(p.name for p in present)}" if present else "found none"
    looked = ", ".join(str(place) for place in places)
    return (
        f"expected {files} {', '.join(absent)}{endings}, {got}; looked in {looked}. {how} Then "
        f"name their folder by the argument root or the variable {VARIABLE}."
    )


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Args:
        path: the file.

    Returns:
        Everything in it.

    Raises:
        DataError: the system would not read it.

    Example:
        >>> read_bytes(Path("/"))
        Traceback (most recent call last):
        baffle.errors.DataError: /: expected a file that can be read, got: Is a directory; ...
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: expected a file that can be read, got: {error.strerror}; check the path and "
            "its permissions."
        ) from error
