"""Where weights and texts are looked for."""

from __future__ import annotations

from pathlib import Path

from baffle.data.files import VARIABLE, folders
from baffle.errors import DataError


def find(name: str, root: Path | None = None) -> Path:
    """Return the path of a file below the data folders.

    Args:
        name: its path below the folder, for example "sst2/train.tsv".
        root: the folder; None for BAFFLE_DATA, then ~/.cache/baffle.

    Raises:
        DataError: there is no such file.
    """
    looked = folders(root)
    for folder in looked:
        if (folder / name).is_file():
            return folder / name
    places = ", ".join(map(str, looked))
    raise DataError(f"expected {name} in {places}; see the README of this study, or set {VARIABLE}")
