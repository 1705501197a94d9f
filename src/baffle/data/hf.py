"""Any Hugging Face data set: in memory, saved, or in local files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Dataset, Floats, Labels
from baffle.data.quiet import quiet
from baffle.data.split import every_fifth
from baffle.errors import DataError

_FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
_MODES = ("L", "RGB")


def load(
    root: str | Path | None = None,
    *,
    source: Any,
    features: str | Sequence[str] = "image",
    label: str = "label",
    natural: Sequence[str] = (),
    train: str = "train",
    test: str = "test",
    scale: float = 1.0,
    download: bool = False,
    title: str = "hf",
) -> Dataset:
    """A data set of the package `datasets`, with the columns chosen by the caller.

    Args:
        root: folder that a relative `source` path starts from; None: the working directory.
        source: a `datasets.Dataset` or `DatasetDict`; or the path of a saved one
            (`save_to_disk`), of a data file (csv, json, jsonl, parquet, arrow) or of a folder of
            such files or images.
        features: a column of images (pixels become [0, 1], channels first) or of numbers or
            equally long lists; or several columns of numbers, one a feature.
        label: column of integers, class labels or strings (numbered in sorted order).
        natural: columns of ids to keep for the train rows.
        train: name of the train split.
        test: name of the test split; where `source` has only one split, every fifth row of each
            class is a test row.
        scale: factor on columns of numbers, for instance 1/255 for bytes.
        download: allow `source` to be a name on the Hugging Face hub.
        title: what the data set is called in reports.

    Returns:
        Rows float32; images (n, channels, height, width).

    Raises:
        DataError: no such source, split or column, images of different sizes or of another mode
            than grey (L) or colour (RGB), values that are not numbers.

    Example:
        >>> import datasets
        >>> table = datasets.Dataset.from_dict({"a": range(10), "b": range(10), "y": [0, 1] * 5})
        >>> load(source=table, features=["a", "b"], label="y")
        Dataset('hf', 8 train and 2 test rows of shape (2,), 2 classes)
    """
    splits = _splits(_open(source, root, download), train, test)
    for part in splits:
        _check_columns(part, [label, *natural, *_names(features)])
    xs = [_features(part, features, scale) for part in splits]
    ys, classes = _labels(splits, label)
    ids = {column: _column(splits[0], column) for column in natural}
    if len(splits) == 1:
        return _divide(title, xs[0], ys[0], classes, ids)
    return Dataset(title, xs[0], ys[0], xs[1], ys[1], classes, ids)


def _divide(
    title: str, x: Floats, y: Labels, classes: int, ids: Mapping[str, NDArray[Any]]
) -> Dataset:
    held = every_fifth(y)
    kept = {column: values[~held] for column, values in ids.items()}
    return Dataset(title, x[~held], y[~held], x[held], y[held], classes, kept)


def _open(source: Any, root: str | Path | None, download: bool) -> Any:
    """A `datasets.Dataset` or a mapping of them."""
    datasets = _datasets()
    if not isinstance(source, (str, Path)):
        return source
    path = (Path(root) if root is not None else Path()) / Path(source).expanduser()
    if path.exists():
        return _open_path(datasets, path)
    if not download:
        raise DataError(
            f"expected a saved data set or data files at {path}, found nothing; check the path, or "
            "pass download=True if this is a name on the Hugging Face hub."
        )
    return _read(str(source), lambda: datasets.load_dataset(str(source)))


def _open_path(datasets: Any, path: Path) -> Any:
    if path.is_file() and path.suffix not in _FORMATS:
        raise DataError(
            f"{path}: expected a file that ends in {', '.join(_FORMATS)}, got {path.suffix!r}; "
            "convert it or name a folder."
        )
    # `datasets` copies files into a cache; ours is gone when the rows are in memory.
    with tempfile.TemporaryDirectory() as cache, quiet():
        kept: dict[str, Any] = {"cache_dir": cache, "keep_in_memory": True}
        if path.is_file():
            files = {"data_files": str(path), **kept}
            return _read(path, lambda: datasets.load_dataset(_FORMATS[path.suffix], **files))
        if (path / "state.json").exists() or (path / "dataset_dict.json").exists():
            return _read(path, lambda: datasets.load_from_disk(str(path), keep_in_memory=True))
        return _read(path, lambda: datasets.load_dataset(str(path), **kept))


def _read(where: str | Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # whatever pyarrow, pandas or the hub's client raises
        raise DataError(
            f"{where}: expected data that the package datasets reads, got: {error}"
        ) from error


def _datasets() -> Any:
    try:
        with quiet():
            import datasets
    except ImportError as error:
        raise DataError(
            "hf: expected the package datasets, found none; install baffle[data]."
        ) from error
    return datasets


def _splits(opened: Any, train: str, test: str) -> list[Any]:
    """The train split, and the test split if there is more than one."""
    if not isinstance(opened, Mapping):
        return [opened]
    wanted = [train] if len(opened) == 1 else [train, test]
    absent = [split for split in wanted if split not in opened]
    if absent:
        raise DataError(
            f"hf: expected the split {absent[0]!r}, found {', '.join(map(str, opened))}; choose "
            "with train= and test=."
        )
    return [opened[split] for split in wanted]


def _names(features: str | Sequence[str]) -> list[str]:
    return [features] if isinstance(features, str) else list(features)


def _check_columns(part: Any, columns: Sequence[str]) -> None:
    known = getattr(part, "column_names", None)
    if known is None:
        raise DataError(
            f"hf: expected a datasets.Dataset or DatasetDict, got {type(part).__name__}; streamed "
            "data sets have no length, take some rows of them first."
        )
    for column in columns:
        if column not in known:
            raise DataError(
                f"hf: expected a column {column!r}, found {', '.join(known)}; choose with "
                "features=, label= and natural=."
            )


def _column(part: Any, column: str) -> NDArray[Any]:
    return np.asarray(part.with_format("numpy")[:][column])


def _features(part: Any, features: str | Sequence[str], scale: float) -> Floats:
    if not isinstance(features, str):
        columns = [_numbers(column, _column(part, column), scale) for column in features]
        return np.stack([values.reshape(len(part)) for values in columns], axis=1)
    if isinstance(part.features[features], _datasets().Image):
        return _images(part, features)
    values = _numbers(features, _column(part, features), scale)
    return values.reshape(len(part), -1) if values.ndim == 1 else values


def _numbers(column: str, values: NDArray[Any], scale: float) -> Floats:
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"hf: expected numbers of one shape in column {column!r}, got {values.dtype}; encode "
            "or pad the values first."
        )
    return (values * scale).astype(np.float32)


def _images(part: Any, column: str) -> Floats:
    pictures = [_pixels(column, picture) for picture in part.select_columns([column])[:][column]]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        raise DataError(
            f"hf: expected images of one size in column {column!r}, found {len(shapes)} shapes, "
            f"such as {sorted(shapes)[:2]}; resize and convert them first (Dataset.map)."
        )
    return np.stack(pictures).astype(np.float32) / np.float32(255)


def _pixels(column: str, picture: Any) -> NDArray[np.uint8]:
    """Bytes (channels, height, width)."""
    mode = getattr(picture, "mode", None)
    if mode not in _MODES:
        raise DataError(
            f"hf: expected images of mode L or RGB in column {column!r}, got {mode}; convert them "
            'first, for instance with datasets.Image(mode="RGB").'
        )
    values = np.asarray(picture, np.uint8)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _labels(splits: Sequence[Any], label: str) -> tuple[list[Labels], int]:
    """Labels of each split, and how many classes there are."""
    columns = [_column(part, label) for part in splits]
    names = getattr(splits[0].features[label], "names", None)
    if columns[0].dtype.kind in "UOS":
        return _numbered(columns, label)
    if any(values.dtype.kind not in "biu" for values in columns):
        raise DataError(
            f"hf: expected whole numbers or strings in the label column {label!r}, got "
            f"{columns[0].dtype}; convert it first, and drop rows without a label."
        )
    classes = len(names) if names else 1 + max(int(values.max()) for values in columns)
    return [values.astype(np.int64) for values in columns], classes


def _numbered(columns: Sequence[NDArray[Any]], label: str) -> tuple[list[Labels], int]:
    names = sorted(set(columns[0].tolist()))
    numbers = {name: number for number, name in enumerate(names)}
    unknown = {value for values in columns for value in values.tolist()} - set(names)
    if unknown:
        raise DataError(
            f"hf: expected test labels that occur in the train split's {label!r}, found "
            f"{sorted(map(str, unknown))[:3]}; drop those rows."
        )
    coded = [[numbers[value] for value in values.tolist()] for values in columns]
    return [np.array(codes, np.int64) for codes in coded], len(names)
