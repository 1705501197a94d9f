"""Columns of a Hugging Face table as arrays: features, images, labels, ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Floats, Labels
from baffle.errors import DataError

_MODES = ("L", "RGB")


def read_features(part: Any, features: str | Sequence[str], scale: float) -> Floats:
    """The rows as a model takes them.

    Args:
        part: a `datasets.Dataset` with one row or more.
        features: one column of images, numbers or equally long lists; or several of numbers.
        scale: factor on numbers; images are divided by 255 instead.

    Returns:
        float32 (n, …); images (n, channels, height, width).

    Raises:
        DataError: values that are not numbers of one shape, or images of several sizes or modes.

    Example:
        >>> import datasets
        >>> read_features(datasets.Dataset.from_dict({"a": [1, 2]}), "a", 0.5)
        array([[0.5],
               [1. ]], dtype=float32)
    """
    if not isinstance(features, str):
        columns = [_flat(name, read_numbers(part, name, scale)) for name in features]
        return np.stack(columns, axis=1)
    if _is_image(part.features[features]):
        return _images(part, features)
    values = read_numbers(part, features, scale)
    return values.reshape(len(part), -1) if values.ndim == 1 else values


def read_numbers(part: Any, column: str, scale: float) -> Floats:
    """A column of numbers, or of equally long lists of them, times a factor.

    Args:
        part: a `datasets.Dataset`.
        column: its name.
        scale: the factor.

    Returns:
        float32 (n, …).

    Raises:
        DataError: values that are not numbers, or of several shapes.

    Example:
        >>> import datasets
        >>> read_numbers(datasets.Dataset.from_dict({"a": [1, 2]}), "a", 2.0)
        array([2., 4.], dtype=float32)
    """
    values = _values(part, column)
    if values.dtype.kind not in "biuf" or len(values) != len(part):
        raise DataError(
            f"hf: expected numbers of one shape in column {column!r}, got {values.dtype}; encode "
            "or pad the values first."
        )
    return (values * scale).astype(np.float32)


def read_labels(splits: Sequence[Any], label: str) -> tuple[list[Labels], int]:
    """Labels of each split, and how many classes there are.

    Args:
        splits: the train split, and perhaps a test split.
        label: a column of integers, class labels or strings (numbered in sorted order).

    Returns:
        int64 (n,) for each split; the number of classes.

    Raises:
        DataError: a row without a label, or labels that are neither whole numbers nor strings.

    Example:
        >>> import datasets
        >>> read_labels([datasets.Dataset.from_dict({"y": ["b", "a", "b"]})], "y")
        ([array([1, 0, 1])], 2)
    """
    columns = [_one_a_row(part, label, "a label") for part in splits]
    names = getattr(splits[0].features[label], "names", None)
    if all(values.dtype.kind == "U" for values in columns):
        return _numbered(columns, label)
    kinds = " and ".join(sorted({str(values.dtype) for values in columns}))
    if any(values.dtype.kind not in "biu" for values in columns):
        raise DataError(
            f"hf: expected whole numbers or strings in the label column {label!r}, the same in "
            f"both splits, got {kinds}; convert it first."
        )
    classes = len(names) if names else 1 + max(int(values.max()) for values in columns)
    return [values.astype(np.int64) for values in columns], classes


def read_ids(part: Any, column: str) -> NDArray[Any]:
    """Whose each row is.

    Args:
        part: a `datasets.Dataset`.
        column: its name.

    Returns:
        (n,), of numbers or strings.

    Raises:
        DataError: a row without an id, or ids that are neither numbers nor strings.

    Example:
        >>> import datasets
        >>> read_ids(datasets.Dataset.from_dict({"user": ["ann", "bob"]}), "user").tolist()
        ['ann', 'bob']
    """
    values = _one_a_row(part, column, "an id")
    if values.dtype.kind not in "biufUM":
        raise DataError(
            f"hf: expected numbers or strings as ids in column {column!r}, got {values.dtype}."
        )
    return values


def _one_a_row(part: Any, column: str, what: str) -> NDArray[Any]:
    """A column of one value a row, none missing; strings of any kind as NumPy's own."""
    missing = part.with_format("arrow")[:][column].null_count
    if missing:
        raise DataError(
            f"hf: expected {what} in column {column!r} for every row, found {missing} of "
            f"{len(part)} rows without one; drop those rows first (Dataset.filter)."
        )
    values = np.asarray(_values(part, column))
    if values.dtype.kind in "OST" and all(isinstance(value, str) for value in values.ravel()):
        values = values.astype(np.str_)
    if values.shape != (len(part),):
        raise DataError(
            f"hf: expected {what} a row in column {column!r}, got {values.dtype} of shape "
            f"{values.shape}; choose another column."
        )
    return values


def _values(part: Any, column: str) -> NDArray[Any]:
    try:
        return np.asarray(part.with_format("numpy")[:][column])
    except Exception as error:  # whatever a decoder of images, sound or video raises
        raise DataError(
            f"hf: expected a column {column!r} that the package datasets can decode, got: {error}"
        ) from error


def _flat(column: str, values: Floats) -> Floats:
    if values.ndim != 1:
        raise DataError(
            f"hf: expected one number a row in column {column!r}, one of several features, got "
            f"{values.shape[1:]} a row; choose it alone, or take it apart first."
        )
    return values


def _is_image(feature: Any) -> bool:
    from datasets import Image

    return isinstance(feature, Image)


def _images(part: Any, column: str) -> Floats:
    pictures = [_pixels(column, picture) for picture in _decoded(part, column)]
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        raise DataError(
            f"hf: expected images of one size in column {column!r}, found {len(shapes)} shapes, "
            f"such as {sorted(shapes)[:2]}; resize and convert them first (Dataset.map)."
        )
    return np.stack(pictures).astype(np.float32) / np.float32(255)


def _decoded(part: Any, column: str) -> list[Any]:
    try:
        return list(part.select_columns([column])[:][column])
    except Exception as error:  # whatever Pillow or the file system raises
        raise DataError(
            f"hf: expected images in column {column!r} that can be decoded, got: {error}"
        ) from error


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
