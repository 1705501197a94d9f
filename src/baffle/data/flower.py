"""Flower's partitioners, asked for row indices only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baffle.data.base import Rows
from baffle.data.quiet import quiet
from baffle.errors import DataError


def split(kind: str, columns: Mapping[str, NDArray[Any]], **arguments: Any) -> list[Rows]:
    """Row indices of each client, as a partitioner of `flwr_datasets` divides them.

    Args:
        kind: name of a class in flwr_datasets.partitioner.
        columns: what the partitioner sees of each row, for instance {"label": …}, each (n,); a
            column "row" is the index to return, and is 0 … n − 1 when left out.
        arguments: the partitioner's own.

    Returns:
        One int64 array a client.

    Raises:
        DataError: flwr-datasets is not installed, or the partitioner refuses.

    Example:
        >>> [rows.tolist() for rows in split("IidPartitioner", {"row": np.arange(5)},
        ...                                  num_partitions=2)]
        [[0, 1, 2], [3, 4]]
    """
    _import()
    import datasets
    from flwr_datasets import partitioner as flower

    rows = np.arange(len(next(iter(columns.values()))))
    with quiet():
        try:
            partitioner = getattr(flower, kind)(**arguments)
            partitioner.dataset = datasets.Dataset.from_dict({"row": rows, **columns})
            parts = range(partitioner.num_partitions)
            return [_rows(partitioner.load_partition(part)) for part in parts]
        except ValueError as error:
            raise DataError(
                f"expected a split that flwr-datasets' {kind} can make, got: {error}"
            ) from error


def _import() -> None:
    try:
        with quiet():
            import flwr_datasets  # noqa: F401
    except ImportError as error:
        raise DataError(
            "expected the package flwr-datasets, which divides rows among clients, found none; "
            "install baffle[data]."
        ) from error


def _rows(part: Any) -> Rows:
    return np.asarray(part.with_format("numpy")[:]["row"], np.int64)
