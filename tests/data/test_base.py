from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from baffle.data import Dataset
from baffle.errors import DataError


def made(**changes: Any) -> Dataset:
    parts: dict[str, Any] = {
        "name": "toy",
        "train_x": np.zeros((4, 2), np.float32),
        "train_y": np.array([0, 1, 0, 1]),
        "test_x": np.zeros((2, 2), np.float32),
        "test_y": np.array([0, 1]),
        "classes": 2,
    }
    return Dataset(**(parts | changes))


def test_a_good_one_knows_its_shape() -> None:
    data = made(natural={"writer": np.array(["a", "b", "a", "b"])})
    assert data.in_shape == (2,)
    assert repr(data).endswith("2 classes, natural ids: writer)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "at least 2 classes, got 1"),
        ({"train_y": np.array([0, 1, 2, 1])}, r"train: expected labels in 0 … 1, found 0 … 2"),
        ({"test_y": np.array([0, -1])}, r"test: expected labels in 0 … 1, found -1 … 0"),
        ({"train_y": np.array([0, 1, 0])}, "4 rows and 3 labels"),
        (
            {"train_x": np.zeros((0, 2), np.float32), "train_y": np.zeros(0, np.int64)},
            "0 rows and 0 labels",
        ),
        ({"train_x": np.zeros((4, 2))}, "float32 .* got float64"),
        ({"train_x": np.zeros(4, np.float32)}, r"two or more axes, got float32 \(4,\)"),
        ({"train_x": np.zeros((4, 0), np.float32)}, "finite values, found an empty row"),
        ({"train_y": np.array([0, 1, 0, 1], np.int32)}, "int64 .* got int32"),
        ({"test_x": np.zeros((2, 3), np.float32)}, r"shape \(2,\), got \(3,\)"),
        ({"natural": {"writer": np.zeros(3)}}, r"natural\['writer'\]: .* got \(3,\)"),
        ({"natural_test": {"who": np.zeros(4)}}, r"one id a test row, shape \(2,\), got \(4,\)"),
    ],
)
def test_a_bad_one_is_refused_with_what_was_found(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(**changes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("half", ["train_x", "test_x"])
def test_one_value_that_is_not_finite_is_enough(half: str, bad: float) -> None:
    x = np.zeros_like(getattr(made(), half))
    x[1, 0] = bad
    with pytest.raises(DataError, match="NaN or infinity"):
        made(**{half: x})
