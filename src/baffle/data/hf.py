"""Any Hugging Face data set: in memory, saved, or in local files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from baffle.data.base import Dataset, Floats, Labels
from baffle.data.columns import read_features, read_ids, read_labels
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


def load(
    root: str | Path | None = None,
    *,
    source: Any,
    features: str | Sequence[str] = "image",
    label: str = "label",
    natural: str | Sequence[str] = (),
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
        natural: a column of ids to keep for the train rows, or several.
        train: name of the train split.
        test: name of the test split; where `source` has only one split, every fifth row of each
            class is a test row.
        scale: factor on columns of numbers, for instance 1/255 for bytes.
        download: allow `source` to be a name on the Hugging Face hub.
        title: what the data set is called in reports.

    Returns:
        Rows float32; images (n, channels, height, width).

    Raises:
        DataError: no such source, split or column, no rows, images of different sizes or of another
            mode than grey (L) or colour (RGB), values that are not numbers, rows without a label
            or without an id.

    Example:
        >>> import datasets
        >>> table = datasets.Dataset.from_dict({"a": range(10), "b": range(10), "y": [0, 1] * 5})
        >>> load(source=table, features=["a", "b"], label="y")
        Dataset('hf', 8 train and 2 test rows of shape (2,), 2 classes)
    """
    splits = _splits(_open(source, root, download), train, test)
    _check_options(features, scale)
    natural = _names(natural)
    for part in splits:
        _check_columns(part, [label, *natural, *_names(features)])
    xs = [read_features(part, features, scale) for part in splits]
    ys, classes = read_labels(splits, label)
    ids = {column: read_ids(splits[0], column) for column in natural}
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


def _check_options(features: Any, scale: Any) -> None:
    names = _names(features) if isinstance(features, (str, Sequence)) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"hf: expected the name of one column or more as features, got {features}.")
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise DataError(f"hf: expected a number as scale, got {scale!r}.")


def _names(features: str | Sequence[str]) -> list[str]:
    return [features] if isinstance(features, str) else list(features)


def _check_columns(part: Any, columns: Sequence[str]) -> None:
    known = getattr(part, "column_names", None)
    if known is None or not hasattr(part, "__len__"):
        raise DataError(
            f"hf: expected a datasets.Dataset or DatasetDict, got {type(part).__name__}; streamed "
            "data sets have no length, take some rows of them first."
        )
    if not len(part):
        raise DataError("hf: expected one row or more in each split, found an empty one.")
    for column in columns:
        if column not in known:
            raise DataError(
                f"hf: expected a column {column!r}, found {', '.join(known)}; choose with "
                "features=, label= and natural=."
            )
