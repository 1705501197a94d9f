from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baffle.data import load, partition
from baffle.errors import DataError

SUBJECTS, EACH = 4, 12  # of which every activity has one stretch of EACH windows a subject


def windows() -> dict[str, Any]:
    """Continuous recordings cut as the real ones are: each window shares half with the next."""
    rng = np.random.Generator(np.random.Philox(key=1))
    x, y, subject = [], [], []
    for who in range(1, SUBJECTS + 1):
        for activity in (1, 2, 3, 4, 5, 6, 7):
            signal = rng.integers(-900, 900, (6, 64 * (EACH + 1)), dtype=np.int16)
            x += [signal[:, 64 * i : 64 * i + 128] for i in range(EACH)]
            y += [activity] * EACH
            subject += [who] * EACH
    who = np.array(subject, np.int8)
    return {
        "x": np.array(x),
        "scale": np.array([1e-3] * 3 + [5e-4] * 3),
        "y": np.array(y, np.int8),
        "subject": who,
        "experiment": who,
        "official_test_subject": who == SUBJECTS,
    }


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Any]:
    return windows()


def save(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez_compressed(folder / "hapt_windows_int16.npz", **arrays)
    return folder


def test_values_are_what_is_stored_times_the_scale(made: dict[str, Any], tmp_path: Path) -> None:
    data = load("hapt", save(tmp_path, made), classes=12)
    expected = made["x"][0].astype(np.float64) * made["scale"][:, None]
    assert np.array_equal(data.train_x[0], expected.astype(np.float32))
    assert data.classes == 12
    assert set(data.train_y.tolist()) == set(range(7))


def test_six_classes_leave_the_transitions_out(made: dict[str, Any], tmp_path: Path) -> None:
    data = load("hapt", save(tmp_path, made))
    assert len(data.train_y) + len(data.test_y) == SUBJECTS * 6 * EACH
    assert (data.classes, data.train_y.max()) == (6, 5)


def test_test_subjects_are_in_no_train_row(made: dict[str, Any], tmp_path: Path) -> None:
    data = load("hapt", save(tmp_path, made))
    assert set(data.natural_test["subject"].tolist()) == {SUBJECTS}
    assert set(data.natural["subject"].tolist()) == {1, 2, 3}


def test_held_out_windows_share_no_sample_with_train_windows(
    made: dict[str, Any], tmp_path: Path
) -> None:
    data = load("hapt", save(tmp_path, made), test="windows")
    train = {half.tobytes() for row in data.train_x for half in (row[:, :64], row[:, 64:])}
    test = {half.tobytes() for row in data.test_x for half in (row[:, :64], row[:, 64:])}
    assert not train & test
    assert len(data.test_y) == SUBJECTS * 6 * (EACH // 5)
    assert len(data.train_y) == SUBJECTS * 6 * (EACH - EACH // 5 - 1)  # one at each border
    assert set(data.natural_test["subject"].tolist()) == set(range(1, SUBJECTS + 1))


def test_features_are_standardised_by_the_train_rows(made: dict[str, Any], tmp_path: Path) -> None:
    data = load("hapt", save(tmp_path, made), features=True)
    assert data.in_shape == (30,)
    assert np.allclose(data.train_x.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(data.train_x.std(axis=0), 1, atol=1e-5)
    assert abs(data.test_x.mean()) > 0


def test_a_client_is_a_subject(made: dict[str, Any], tmp_path: Path) -> None:
    data = load("hapt", save(tmp_path, made))
    parts = partition("natural", data, 3, seed=0)
    assert [set(data.natural["subject"][rows].tolist()) for rows in parts] == [{1}, {2}, {3}]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("y", np.zeros(SUBJECTS * 7 * EACH, np.int8), r"labels in 1 … 12 .* found labels 0 … 0"),
        ("y", np.ones(3, np.int8), "lengths .*'y': 3"),
        ("scale", np.array([1.0, 1.0]), r"6 positive scales, found .*\[1.0, 1.0\]"),
        ("scale", np.array([1.0] * 5 + [np.nan]), "6 positive scales"),
        ("x", np.zeros((SUBJECTS * 7 * EACH, 6, 100), np.int16), r"shape \(6, 128\)"),
        ("subject", np.zeros(SUBJECTS * 7 * EACH), "expected subject as int8"),
    ],
)
def test_another_archive_is_refused(
    made: dict[str, Any], tmp_path: Path, name: str, value: Any, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        load("hapt", save(tmp_path, made | {name: value}))


@pytest.mark.parametrize("options", [{"classes": 7}, {"test": "rows"}])
def test_unknown_choices_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="6 or 12 classes and test 'subjects' or 'windows'"):
        load("hapt", tmp_path, **options)


def test_a_missing_file_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"found none; looked in .* It holds x int16"):
        load("hapt", tmp_path)
