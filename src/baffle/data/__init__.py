"""Data sets, and ways to divide them among clients.

    load(name, root, …)                              by DATASETS    -> Dataset
    partition(name, dataset, num_clients, seed, …)   by PARTITIONS  -> row indices of each client

Add one by adding a row. scikit-learn, `datasets` and `flwr_datasets` are imported when a row that
needs them is used (install baffle[data]).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from baffle.data import cifar10, digits, hapt, hf, mnist, partitions, qmnist, wisdm
from baffle.data.base import Dataset, Rows
from baffle.data.split import hold_out
from baffle.errors import DataError

__all__ = ["DATASETS", "PARTITIONS", "Dataset", "hold_out", "load", "partition"]

DATASETS: Mapping[str, Callable[..., Dataset]] = {
    "cifar10": cifar10.load,
    "digits": digits.load,
    "hapt": hapt.load,
    "hf": hf.load,
    "mnist": mnist.load,
    "qmnist": qmnist.load,
    "wisdm": wisdm.load,
}

PARTITIONS: Mapping[str, Callable[..., Sequence[Rows]]] = {
    "dirichlet": partitions.dirichlet,
    "iid": partitions.iid,
    "natural": partitions.natural,
    "pathological": partitions.pathological,
    "sampled": partitions.sampled,
}


def load(name: str, root: str | Path | None = None, **options: Any) -> Dataset:
    """A data set by name.

    Args:
        name: one of DATASETS.
        root: folder of its files; None: the variable BAFFLE_DATA, then ~/.cache/baffle.
        options: the loader's own, for instance size=28 for "mnist".

    Returns:
        The data set, in memory.

    Raises:
        DataError: unknown name or option, or files that are missing or damaged.

    Example:
        >>> load("digits")
        Dataset('digits', 1442 train and 355 test rows of shape (64,), 10 classes)
    """
    loader = _row("data set", DATASETS, name)
    _check_options(name, loader, options)
    return loader(root, **options)


def partition(
    name: str, dataset: Dataset, num_clients: int, seed: int, **options: Any
) -> Sequence[Rows]:
    """The train rows of each client.

    Args:
        name: one of PARTITIONS.
        dataset: whose train rows are divided.
        num_clients: how many clients.
        seed: 0 or more; the same arguments give the same rows.
        options: the partition's own, for instance alpha=0.1 for "dirichlet".

    Returns:
        One int64 array of row indices a client: a list, or a lazy sequence for "sampled".

    Raises:
        DataError: unknown name or option, or a division that the data do not allow.

    Example:
        >>> len(partition("iid", load("digits"), num_clients=10, seed=0))
        10
    """
    divide = _row("partition", PARTITIONS, name)
    _check_options(name, divide, options)
    if seed < 0:
        raise DataError(f"{name}: expected a seed of 0 or more, got {seed}.")
    return divide(dataset, num_clients, seed, **options)


def _row(what: str, table: Mapping[str, Callable[..., Any]], name: str) -> Callable[..., Any]:
    if name not in table:
        raise DataError(f"expected a {what} among {', '.join(sorted(table))}, got {name!r}.")
    return table[name]


def _check_options(name: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(function).parameters.values()
    own = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    known = {p.name for p in own}
    needed = {p.name for p in own if p.default is p.empty}
    for option in sorted(options.keys() - known) + sorted(needed - options.keys()):
        wrong = "an unknown" if option in options else "no"
        raise DataError(
            f"{name}: expected options among {', '.join(sorted(known)) or 'none'}, got {wrong} "
            f"{option}."
        )
