from __future__ import annotations

from pathlib import Path

import pytest

from baffle.data import files, load
from baffle.errors import DataError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(files.VARIABLE, raising=False)
    return tmp_path / "home"


def test_the_argument_stands_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(files.VARIABLE, "/elsewhere")
    assert files.folders("/here") == [Path("/here")]
    assert files.folders("~/x") == [home / "x"]


def test_then_the_variable_then_the_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = home / ".cache" / "baffle"
    assert files.folders(None) == [cache]
    monkeypatch.setenv(files.VARIABLE, "/named")
    assert files.folders(None) == [Path("/named"), cache]


def test_files_are_found_in_the_cache(home: Path, small_mnist: Path) -> None:
    cache = home / ".cache"
    cache.mkdir(parents=True)
    small_mnist.joinpath("mnist").rename(cache / "baffle")
    assert len(load("mnist").train_y) == 20


@pytest.mark.usefixtures("home")
def test_files_are_found_by_the_variable(
    small_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(files.VARIABLE, str(small_mnist))
    assert len(load("mnist").train_y) == 20


def test_missing_files_are_named_with_where_and_how(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path)
    message = str(caught.value)
    for part in ("train-images-idx3-ubyte", ".gz", str(tmp_path / "mnist"), "torchvision", "root"):
        assert part in message


def test_one_missing_file_is_told_from_those_present(small_mnist: Path) -> None:
    (small_mnist / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"the file t10k-labels-idx1-ubyte .*found only train-im"):
        load("mnist", small_mnist)
