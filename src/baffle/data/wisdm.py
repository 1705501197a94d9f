"""WISDM: what 36 people did, from a phone in the pocket, as rows of 43 features.

Kwapisz, Weiss and Moore: "Activity Recognition using Cell Phone Accelerometers", SensorKDD 2010;
version 1.1, transformed. A row is made of ten seconds of acceleration, and no two rows overlap.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.data.arff import UNKNOWN, Row, read_arff
from baffle.data.base import Dataset, Floats, Labels
from baffle.data.files import find_all
from baffle.data.split import last_fifth
from baffle.data.standard import standardise
from baffle.errors import DataError

FILE = "WISDM_ar_v1.1_transformed"
ACTIVITIES = ("Downstairs", "Jogging", "Sitting", "Standing", "Upstairs", "Walking")
TESTS = ("rows", "users")
# Not features: a number of the row, whose it is, and what it is.
_ID, _USER, _CLASS = "UNIQUE_ID", "user", "class"
_HOW = (
    "It is in the archive WISDM_ar_latest.tar.gz of https://www.cis.fordham.edu/wisdm/dataset.php; "
    "put it into a folder wisdm."
)


def load(root: str | Path | None = None, *, test: str = "rows") -> Dataset:
    """WISDM: 5,418 rows of 43 features, six activities, 36 users.

    Args:
        root: folder that holds WISDM_ar_v1.1_transformed.arff (or the same columns as .csv), or a
            folder wisdm with it; None searches BAFFLE_DATA, then ~/.cache/baffle.
        test: "rows": the last fifth of each user's rows of each activity, in the file's order.
            "users": all rows of every fifth user, in the order of their numbers.

    Returns:
        Rows float32 (n, features), brought to mean 0 and deviation 1 by the train rows; a value
        that is not known ("?") becomes 0, which is the mean. natural["user"] and
        natural_test["user"] hold whose a row is. Classes are ACTIVITIES, from 0.

    Raises:
        DataError: the file is missing, damaged or of another form, or an unknown `test`.

    Example:
        >>> load("/nowhere")
        Traceback (most recent call last):
        baffle.errors.DataError: expected the file WISDM_ar_v1.1_transformed (or with .arff, ...
    """
    if test not in TESTS:
        raise DataError(f"wisdm: expected test 'rows' or 'users', got {test!r}.")
    path = find_all([FILE], root, ("wisdm",), (".arff", ".csv"), _HOW)[0]
    names, rows = read_arff(path)
    _check_names(path, names)
    user, y = _users(path, names, rows), _labels(path, names, rows)
    held = last_fifth(user * len(ACTIVITIES) + y) if test == "rows" else _every_fifth_user(user)
    x = _features(path, names, rows)
    train_x, test_x = standardise(x[~held], x[held])
    return Dataset(
        "wisdm",
        train_x,
        y[~held],
        test_x,
        y[held],
        classes=len(ACTIVITIES),
        natural={"user": user[~held]},
        natural_test={"user": user[held]},
    )


def _check_names(path: Path, names: list[str]) -> None:
    absent = [name for name in (_ID, _USER, _CLASS) if names.count(name) != 1]
    if absent or len(names) < 4:
        raise DataError(
            f"{path}: expected the columns {_ID}, {_USER} and {_CLASS} once each, and features, "
            f"found {', '.join(names)}; this is another table."
        )


def _users(path: Path, names: list[str], rows: list[Row]) -> NDArray[np.int64]:
    values = [row[names.index(_USER)] for row in rows]
    wrong = next((value for value in values if not (value.isascii() and value.isdigit())), None)
    if wrong is not None:
        raise DataError(f"{path}: expected whole numbers as users, found {wrong!r}.")
    return np.array([int(value) for value in values], np.int64)


def _labels(path: Path, names: list[str], rows: list[Row]) -> Labels:
    values = [row[names.index(_CLASS)] for row in rows]
    unknown = sorted(set(values) - set(ACTIVITIES))
    if unknown:
        raise DataError(
            f"{path}: expected activities among {', '.join(ACTIVITIES)}, found "
            f"{', '.join(unknown[:3])}."
        )
    return np.array([ACTIVITIES.index(value) for value in values], np.int64)


def _features(path: Path, names: list[str], rows: list[Row]) -> Floats:
    """NaN where a value is not known."""
    places = [place for place, name in enumerate(names) if name not in (_ID, _USER, _CLASS)]
    return np.array([[_number(path, row[place]) for place in places] for row in rows], np.float32)


def _number(path: Path, text: str) -> float:
    if text == UNKNOWN:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        value = np.inf
    if not np.isfinite(value):
        raise DataError(f"{path}: expected finite numbers or {UNKNOWN}, found {text!r}.")
    return value


def _every_fifth_user(user: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(user, np.unique(user)[4::5])
