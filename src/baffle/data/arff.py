"""Tables in Weka's attribute-relation file format (ARFF), as far as published data sets use it.

    % a comment
    @relation NAME
    @attribute NAME TYPE        the name may be in quotes; the type is not looked at
    @data
    v1,v2,…                     one row a line; ? is a value that is not known

Sparse rows and quoted values are not read. A file that begins with neither @ nor % is taken as CSV
with a line of names.
"""

from __future__ import annotations

import re
from pathlib import Path

from baffle.data.files import read_bytes
from baffle.errors import DataError

UNKNOWN = "?"
_ATTRIBUTE = re.compile(r"""@attribute\s+("[^"]+"|'[^']+'|\S+)""", re.IGNORECASE)
Row = list[str]


def read_arff(path: Path) -> tuple[list[str], list[Row]]:
    """The names of the columns, and the rows as text.

    Args:
        path: the file.

    Returns:
        The names in order, and one list of values a row, of the names' length, without blanks
        around them.

    Raises:
        DataError: no text, no names, no rows, or a row of another length; names the line.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "table.arff")
        ...     _ = path.write_text('@relation r\\n@attribute "a" numeric\\n@data\\n?\\n2.5\\n')
        ...     read_arff(path)
        (['a'], [['?'], ['2.5']])
    """
    lines = _lines(path)
    is_csv = bool(lines) and not lines[0][1].startswith("@")
    names, rest = _csv_head(lines) if is_csv else _head(path, lines)
    if not names or not rest:
        raise DataError(
            f"{path}: expected names of columns and rows, found {len(names)} names and {len(rest)} "
            "rows; the file is truncated or of another kind."
        )
    return names, [_row(path, number, text, len(names)) for number, text in rest]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines with their numbers from 1, without comments and empty ones."""
    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8, got: {error}.") from error
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in stripped if line and not line.startswith("%")]


def _head(path: Path, lines: list[tuple[int, str]]) -> tuple[list[str], list[tuple[int, str]]]:
    names: list[str] = []
    for place, (number, line) in enumerate(lines):
        if line.lower() == "@data":
            return names, lines[place + 1 :]
        if match := _ATTRIBUTE.match(line):
            names.append(match[1].strip("\"'"))
        elif not line.lower().startswith("@relation"):
            raise DataError(f"{path}:{number}: expected @attribute or @data, found {line[:40]!r}.")
    return names, []


def _csv_head(lines: list[tuple[int, str]]) -> tuple[list[str], list[tuple[int, str]]]:
    return [name.strip().strip("\"'") for name in lines[0][1].split(",")], lines[1:]


def _row(path: Path, number: int, text: str, columns: int) -> Row:
    values = [value.strip() for value in text.split(",")]
    if len(values) != columns:
        raise DataError(
            f"{path}:{number}: expected {columns} values, found {len(values)}; the file is "
            "damaged, fetch it again."
        )
    return values
