"""Columns that a table may well have, and that are no data to learn from: each is named."""

from __future__ import annotations

from typing import Any

import datasets
import pytest
from PIL import Image

from baffle.data import load
from baffle.errors import DataError

ROWS = 10
Y = [0, 1] * 5
PICTURES = [Image.new("L", (4, 4), shade) for shade in range(ROWS)]


def table(**columns: Any) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"a": range(ROWS), "y": Y, **columns})


def images(*values: Any) -> datasets.Dataset:
    return table(image=[*values] * ROWS).cast_column("image", datasets.Image())


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"y": [None, *Y[1:]]}, {}, "a label in column 'y' for every row, found 1 of 10"),
        ({"y": [None, *"abcabcabc"]}, {}, "a label in column 'y' for every row, found 1 of 10"),
        ({"y": [[0, 1]] * ROWS}, {}, r"a label a row in column 'y', got int64 of shape \(10, 2\)"),
        ({"y": [{"p": 1}] * ROWS}, {}, "whole numbers or strings in the label column 'y'"),
        ({"y": [[0], [0, 1]] * 5}, {}, "whole numbers or strings in the label column 'y'"),
        ({"y": PICTURES}, {}, "a label a row in column 'y'"),
        ({"b": [[1, 2]] * ROWS}, {"features": ["a", "b"]}, "one number a row in column 'b'"),
        ({"b": PICTURES}, {"features": ["a", "b"]}, "one number a row in column 'b'"),
        ({"u": [None, *Y[1:]]}, {"natural": "u"}, "an id in column 'u' for every row, found 1"),
        ({"u": [{"p": 1}] * ROWS}, {"natural": ["u"]}, "numbers or strings as ids in column 'u'"),
        ({}, {"features": []}, r"one column or more as features, got \[\]"),
        ({}, {"features": 3}, "one column or more as features, got 3"),
        ({}, {"scale": "x"}, "a number as scale, got 'x'"),
    ],
)
def test_odd_columns_are_named(columns: Any, options: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load("hf", source=table(**columns), label="y", **{"features": "a", **options})


@pytest.mark.parametrize("value", [{"bytes": b"abc", "path": None}, "/nowhere.png"])
def test_images_that_cannot_be_decoded_are_named(value: Any) -> None:
    with pytest.raises(DataError, match="images in column 'image' that can be decoded"):
        load("hf", source=images(value), label="y")


def test_splits_must_have_labels_of_one_kind() -> None:
    both = datasets.DatasetDict(train=table(), test=table(y=list("abababcdcd")))
    with pytest.raises(DataError, match="the same in both splits, got <U1 and int64"):
        load("hf", source=both, features="a", label="y")


def test_an_empty_split_is_refused() -> None:
    both = datasets.DatasetDict(train=table(), test=table().select([]))
    with pytest.raises(DataError, match="one row or more in each split"):
        load("hf", source=both, features="a", label="y")


def test_streamed_sets_are_refused() -> None:
    with pytest.raises(DataError, match="streamed data sets have no length"):
        load("hf", source=table().to_iterable_dataset(), features="a", label="y")


def test_one_column_of_ids_needs_no_list() -> None:
    data = load(
        "hf", source=table(user=list("abababcdcd")), features="a", label="y", natural="user"
    )
    assert set(data.natural) == {"user"}
