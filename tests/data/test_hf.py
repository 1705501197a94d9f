from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baffle.data import load
from baffle.errors import DataError

datasets = pytest.importorskip("datasets")
Image = pytest.importorskip("PIL.Image")


def pictures(mode: str, rows: int, side: int = 4) -> Any:
    shape = (rows, side, side, 3) if mode == "RGB" else (rows, side, side)
    values = np.random.Generator(np.random.Philox(key=2)).integers(0, 256, shape, np.uint8)
    columns = {"image": [Image.fromarray(v) for v in values], "label": np.arange(rows) % 2}
    names = datasets.ClassLabel(names=["cat", "dog", "eel"])
    features = datasets.Features({"image": datasets.Image(), "label": names})
    return datasets.Dataset.from_dict(columns, features=features), values


def table(rows: int = 20) -> Any:
    columns = {
        "a": np.arange(rows) / 2,
        "b": np.arange(rows),
        "list": [[row, 0, 1] for row in range(rows)],
        "kind": [("yes", "no")[row % 2] for row in range(rows)],
        "number": np.arange(rows) % 3,
        "user": [f"u{row % 4}" for row in range(rows)],
    }
    return datasets.Dataset.from_dict(columns)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_images(mode: str) -> None:
    train, values = pictures(mode, 6)
    source = datasets.DatasetDict({"train": train, "test": train})
    data = load("hf", source=source)
    channels = {"L": 1, "RGB": 3}[mode]
    assert data.in_shape == (channels, 4, 4)
    expected = values[:, None] if mode == "L" else values.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(data.train_x, expected.astype(np.float32) / np.float32(255))
    assert data.classes == 3  # as the label's feature says, though no row is an eel


def test_columns_of_numbers_strings_and_ids() -> None:
    data = load(
        "hf", source=table(), features=["a", "b"], label="kind", natural=["user"], title="mine"
    )
    assert data.name == "mine"
    assert data.train_x[:3].tolist() == [[0, 0], [0.5, 1], [1, 2]]
    assert data.train_y[:3].tolist() == [1, 0, 1]  # no before yes
    assert data.natural["user"][:3].tolist() == ["u0", "u1", "u2"]
    assert (len(data.train_y), len(data.test_y)) == (16, 4)


def test_a_column_of_lists_and_a_scale() -> None:
    data = load("hf", source=table(), features="list", label="number", scale=0.5)
    assert data.train_x[2].tolist() == [1, 0, 0.5]
    assert data.classes == 3


def test_splits_by_name() -> None:
    source = datasets.DatasetDict({"fit": table(9), "dev": table(4), "test": table(5)})
    data = load("hf", source=source, features="b", label="kind", train="fit", test="dev")
    assert (data.train_x.shape, data.test_x.shape) == ((9, 1), (4, 1))


def test_saved_and_in_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"features": ["a", "b"], "label": "number"}
    expected = load("hf", source=table(), **options)
    flat = table().remove_columns(["list"])
    datasets.DatasetDict({"train": flat}).save_to_disk(tmp_path / "dict")
    flat.save_to_disk(tmp_path / "one")
    flat.to_csv(tmp_path / "rows.csv")
    flat.to_parquet(tmp_path / "rows.parquet")
    capfd.readouterr()
    for source in ("dict", "one", "rows.csv", "rows.parquet"):
        data = load("hf", tmp_path, source=source, **options)
        np.testing.assert_array_equal(data.train_x, expected.train_x)
        np.testing.assert_array_equal(data.test_y, expected.test_y)
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_files(tmp_path: Path) -> None:
    table(8).remove_columns(["list"]).to_csv(tmp_path / "train.csv")
    table(4).remove_columns(["list"]).to_csv(tmp_path / "test.csv")
    data = load("hf", source=tmp_path, features="b", label="kind")
    assert (len(data.train_y), len(data.test_y)) == (8, 4)


def test_nothing_is_downloaded_unless_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"data files at {tmp_path}/mnist, .*download=True"):
        load("hf", tmp_path, source="mnist")


def test_the_hub_is_asked_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(name: str) -> Any:
        asked.append(name)
        if name == "nobody/nothing":
            raise ConnectionError("no way there")
        return table()

    monkeypatch.setattr(datasets, "load_dataset", answer)
    options: dict[str, Any] = {"download": True, "features": "b", "label": "kind"}
    assert load("hf", tmp_path, source="somebody/rows", **options).classes == 2
    with pytest.raises(DataError, match=r"nobody/nothing: expected data .* got: no way there"):
        load("hf", tmp_path, source="nobody/nothing", **options)
    assert asked == ["somebody/rows", "nobody/nothing"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "c"}, "a column 'c', found a, b, list, kind, number, user"),
        ({"features": "user"}, "numbers of one shape in column 'user'"),
        ({"features": "b", "label": "a"}, "whole numbers or strings .* got float32"),
        ({"features": "b", "natural": ["who"]}, "a column 'who'"),
    ],
)
def test_wrong_columns_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load("hf", source=table(), **({"label": "kind"} | options))


def test_wrong_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="DatasetDict, got list; streamed"):
        load("hf", source=[1, 2])
    with pytest.raises(DataError, match="the split 'test', found train, dev"):
        load("hf", source=datasets.DatasetDict({"train": table(), "dev": table()}))
    (tmp_path / "rows.txt").write_text("x")
    with pytest.raises(DataError, match=r"ends in .csv, .* got '.txt'"):
        load("hf", source=tmp_path / "rows.txt")
    (tmp_path / "rows.parquet").write_text("not parquet")
    with pytest.raises(DataError, match=r"rows\.parquet: expected data that the package"):
        load("hf", source=tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"hf: expected options among .* got no source"):
        load("hf")


def test_lists_of_different_lengths_are_refused() -> None:
    ragged = datasets.Dataset.from_dict({"x": [[1], [1, 2]] * 5, "label": [0, 1] * 5})
    with pytest.raises(DataError, match="numbers of one shape in column 'x'"):
        load("hf", source=ragged, features="x")


def test_labels_only_the_test_split_has_are_refused() -> None:
    train = datasets.Dataset.from_dict({"x": [1, 2], "label": ["a", "b"]})
    test = datasets.Dataset.from_dict({"x": [1, 2], "label": ["a", "z"]})
    with pytest.raises(DataError, match=r"occur in the train split's 'label', found \['z'\]"):
        load("hf", source={"train": train, "test": test}, features="x")


def test_images_that_differ_are_refused() -> None:
    large, small = pictures("L", 4, side=5)[0], pictures("L", 4)[0]
    with pytest.raises(DataError, match="images of one size in column 'image', found 2 shapes"):
        load("hf", source=datasets.concatenate_datasets([large, small]))
    columns = {"image": [Image.new("RGBA", (4, 4))] * 10, "label": [0, 1] * 5}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    with pytest.raises(DataError, match="mode L or RGB in column 'image', got RGBA"):
        load("hf", source=datasets.Dataset.from_dict(columns, features=features))
