from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baffle.data import load, partition
from baffle.data.wisdm import ACTIVITIES
from baffle.errors import DataError

USERS, EACH = 10, 10  # rows of each user and activity
HEAD = """@relation activity

@attribute "UNIQUE_ID" numeric
@attribute "user"
@attribute "X0" numeric
@attribute "XPEAK" numeric
@attribute class

@data
"""


def rows() -> list[str]:
    """One after another, as the lab wrote them; every seventh has no peak."""
    found = []
    for user in range(1, USERS + 1):
        for activity in (0, 5):
            for number in range(EACH):
                peak = "?" if len(found) % 7 == 0 else f"{100 * number + user}"
                found.append(f"{len(found)},{user},{number / 10},{peak},{ACTIVITIES[activity]}")
    return found


def save(folder: Path, lines: list[str], head: str = HEAD, end: str = ".arff") -> Path:
    path = folder / f"WISDM_ar_v1.1_transformed{end}"
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_rows_are_features_of_deviation_one_and_know_their_user(tmp_path: Path) -> None:
    data = load("wisdm", save(tmp_path, rows()))
    assert (data.in_shape, data.classes) == ((2,), 6)
    assert np.allclose(data.train_x.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(data.train_x[:, 0].std(), 1, atol=1e-6)
    assert np.bincount(data.train_y).tolist() == [80, 0, 0, 0, 0, 80]
    parts = partition("natural", data, USERS, seed=0)
    assert [set(data.natural["user"][p].tolist()) for p in parts] == [
        {user} for user in range(1, USERS + 1)
    ]


def test_an_unknown_value_becomes_the_mean_of_the_train_rows(tmp_path: Path) -> None:
    lines = [f"{n},1,0.5,{'?' if n == 3 else n},Walking" for n in range(10)]
    data = load("wisdm", save(tmp_path, lines))
    known = np.array([0, 1, 2, 4, 5, 6, 7])
    expected = (np.array([0, 1, 2, known.mean(), 4, 5, 6, 7]) - known.mean()) / known.std()
    assert np.allclose(data.train_x[:, 1], expected, atol=1e-6)
    assert np.all(data.train_x[:, 0] == 0)  # it never changes


def test_last_rows_of_each_user_and_activity_are_held_out(tmp_path: Path) -> None:
    data = load("wisdm", save(tmp_path, rows()))
    assert len(data.test_y) == USERS * 2 * 2
    assert set(data.natural_test["user"].tolist()) == set(range(1, USERS + 1))
    assert data.test_x[:, 0].min() > data.train_x[:, 0].max()  # here later means larger


def test_users_may_be_held_out(tmp_path: Path) -> None:
    data = load("wisdm", save(tmp_path, rows()), test="users")
    assert set(data.natural_test["user"].tolist()) == {5, 10}
    assert set(data.natural["user"].tolist()) == {1, 2, 3, 4, 6, 7, 8, 9}


def test_a_csv_with_the_same_columns_is_as_good(tmp_path: Path) -> None:
    arff = load("wisdm", save(tmp_path, rows()))
    (tmp_path / "csv").mkdir()
    names = "UNIQUE_ID,user,X0,XPEAK,class\n"
    csv = load("wisdm", save(tmp_path / "csv", rows(), head=names, end=".csv"))
    assert np.array_equal(arff.train_x, csv.train_x)
    assert np.array_equal(arff.test_y, csv.test_y)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1,0.5,2", "arff:10: expected 5 values, found 4"),
        ("1,1,0.5,2,Flying", "expected activities among .*, found Flying"),
        ("1,1,0.5,much,Walking", r"finite numbers or \?, found 'much'"),
        ("1,1,0.5,nan,Walking", r"finite numbers or \?, found 'nan'"),
        ("1,ann,0.5,2,Walking", "whole numbers as users, found 'ann'"),
        ("1,²,0.5,2,Walking", "whole numbers as users, found '²'"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load("wisdm", save(tmp_path, [row]))


@pytest.mark.parametrize(
    ("head", "lines", "said"),
    [
        (HEAD, [], "expected names of columns and rows, found 5 names and 0 rows"),
        (HEAD.replace('"user"', "who"), rows(), "UNIQUE_ID, user and class once each"),
        (HEAD.replace('"X0" numeric', "user"), rows(), "UNIQUE_ID, user and class once each"),
        (HEAD.replace("@relation", "@table"), rows(), "arff:1: expected @attribute or @data"),
        ("", [], "found 0 names and 0 rows"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, head: str, lines: list[str], said: Any) -> None:
    with pytest.raises(DataError, match=said):
        load("wisdm", save(tmp_path, lines, head=head))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "WISDM_ar_v1.1_transformed.arff").write_bytes(b"@relation \xff")
    with pytest.raises(DataError, match="expected text in UTF-8"):
        load("wisdm", tmp_path)


def test_an_unknown_test_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'rows' or 'users', got 'subjects'"):
        load("wisdm", tmp_path, test="subjects")
