"""Ways to divide the train rows among clients.

Each takes a data set, the number of clients and a seed, and returns one array of row indices a
client. `iid`, `natural` and `sampled` depend on the arguments alone; `dirichlet` and `pathological`
draw inside flwr-datasets, from NumPy's default generator, so they repeat on the same versions of
these two packages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from baffle.data.base import Dataset, Rows
from baffle.data.draws import distinct, permutation
from baffle.data.flower import split
from baffle.data.sampled import SampledRows
from baffle.errors import DataError


def iid(dataset: Dataset, num_clients: int, seed: int) -> list[Rows]:
    """Rows in random order, in equal shares (to within one row); every row once.

    Args:
        dataset: whose train rows are divided.
        num_clients: at most the number of train rows.
        seed: of the order.

    Returns:
        One int64 array of row indices a client.

    Raises:
        DataError: fewer rows than clients.

    Example:
        >>> from baffle.data import load
        >>> sorted({len(rows) for rows in iid(load("digits"), num_clients=10, seed=0)})
        [144, 145]
    """
    _check_clients(dataset, num_clients)
    order = permutation(len(dataset.train_y), "iid", seed)
    return [np.asarray(rows, np.int64) for rows in np.array_split(order, num_clients)]


def dirichlet(
    dataset: Dataset,
    num_clients: int,
    seed: int,
    *,
    alpha: float = 0.5,
    min_rows: int = 1,
    balance: bool = False,
) -> list[Rows]:
    """Each class is divided by shares from a Dirichlet distribution; every row once.

    Args:
        dataset: whose train rows are divided.
        num_clients: at most the number of train rows.
        seed: of the shares and of the order.
        alpha: concentration; 0.1 gives most clients few classes, 100 is close to iid.
        min_rows: rows that each client must get; the shares are redrawn up to ten times.
        balance: stop giving rows to a client that has the average already.

    Returns:
        One int64 array of row indices a client, none empty.

    Raises:
        DataError: alpha or min_rows is not positive, or no draw gives each client `min_rows` rows.

    Example:
        >>> from baffle.data import load
        >>> parts = dirichlet(load("digits"), num_clients=5, seed=0, alpha=0.1)
        >>> sum(len(rows) for rows in parts)
        1442
    """
    _check_clients(dataset, num_clients)
    if not (math.isfinite(alpha) and alpha > 0) or min_rows < 1:
        raise DataError(
            f"dirichlet: expected alpha > 0 and min_rows of 1 or more, got alpha={alpha} and "
            f"min_rows={min_rows}; a usual alpha lies between 0.1 and 100."
        )
    return split(
        "DirichletPartitioner",
        {"label": dataset.train_y},
        num_partitions=num_clients,
        partition_by="label",
        alpha=float(alpha),
        min_partition_size=min_rows,
        self_balancing=balance,
        seed=seed,
    )


def pathological(
    dataset: Dataset,
    num_clients: int,
    seed: int,
    *,
    classes_per_client: int = 2,
    allow_unused: bool = False,
) -> list[Rows]:
    """Each client gets rows of a few classes only; every row once if every class has a client.

    Client i has class i mod classes, and others at random.

    Args:
        dataset: whose train rows are divided.
        num_clients: how many; with as many clients as classes, every class has a client.
        seed: of the classes and of the order.
        classes_per_client: exactly so many classes a client.
        allow_unused: accept that classes without a client are left out.

    Returns:
        One int64 array of row indices a client, none empty.

    Raises:
        DataError: more classes a client than there are, a class with fewer rows than clients, or a
            class without a client and not `allow_unused`.

    Example:
        >>> from baffle.data import load
        >>> data = load("digits")
        >>> {len(set(data.train_y[rows].tolist())) for rows in pathological(data, 20, seed=0)}
        {2}
    """
    _check_clients(dataset, num_clients)
    if classes_per_client < 1:
        raise DataError(
            f"pathological: expected classes_per_client of 1 or more, got {classes_per_client}."
        )
    parts = split(
        "PathologicalPartitioner",
        {"label": dataset.train_y},
        num_partitions=num_clients,
        partition_by="label",
        num_classes_per_partition=classes_per_client,
        class_assignment_mode="first-deterministic",
        seed=seed,
    )
    unused = len(dataset.train_y) - sum(map(len, parts))
    if unused and not allow_unused:
        raise DataError(
            f"pathological: expected every class to have a client, {unused} rows have none with "
            f"{num_clients} clients of {classes_per_client} classes; use {dataset.classes} clients "
            "or more, or pass allow_unused=True."
        )
    return parts


def natural(
    dataset: Dataset, num_clients: int, seed: int, *, column: str | None = None
) -> list[Rows]:
    """One client an id of the data set's own, for instance a writer.

    Args:
        dataset: whose train rows are divided; must have natural ids.
        num_clients: at most the number of ids. As many: every row once, clients in the ids' order.
            Fewer: ids are chosen at random, the rows of the others are left out.
        seed: of that choice.
        column: which of `dataset.natural`; may be left out if there is only one.

    Returns:
        One int64 array of row indices a client, none empty.

    Raises:
        DataError: no such column, more clients than ids, or rows without an id.

    Example:
        >>> from dataclasses import replace
        >>> from baffle.data import load
        >>> data = load("digits")
        >>> data = replace(data, natural={"desk": np.arange(len(data.train_y)) % 7})
        >>> len(natural(data, num_clients=7, seed=0))
        7
    """
    column = _column(dataset, column)
    rows, starts = _by_id(dataset, column)
    ids = len(starts)
    if not 1 <= num_clients <= ids:
        raise DataError(
            f"natural: expected between 1 and {ids} clients, one an id of {column!r} in "
            f"{dataset.name}, got {num_clients}."
        )
    parts = np.split(rows, starts[1:])
    chosen = np.sort(distinct(ids, num_clients, "natural", seed))
    return [parts[client] for client in chosen]


def sampled(
    dataset: Dataset, num_clients: int, seed: int, *, rows_per_client: int = 100
) -> Sequence[Rows]:
    """Any number of clients, each with rows drawn from all; nothing is stored.

    Args:
        dataset: whose train rows are drawn from; the same row may be at several clients.
        num_clients: any number: memory does not grow with it.
        seed: of the draws; client i's rows are a function of (seed, i).
        rows_per_client: rows a client, none twice; at most the number of train rows.

    Returns:
        A sequence that makes each client's int64 array of row indices when it is asked for.

    Raises:
        DataError: no client, or a client with no row or more rows than there are.

    Example:
        >>> from baffle.data import load
        >>> len(sampled(load("digits"), num_clients=1_000_000, seed=0))
        1000000
    """
    rows = len(dataset.train_y)
    if num_clients < 1 or not 1 <= rows_per_client <= rows:
        raise DataError(
            f"sampled: expected 1 client or more with 1 to {rows} rows each, got {num_clients} "
            f"clients with {rows_per_client}."
        )
    return SampledRows(rows, rows_per_client, seed, range(num_clients))


def _check_clients(dataset: Dataset, num_clients: int) -> None:
    rows = len(dataset.train_y)
    if not 1 <= num_clients <= rows:
        raise DataError(
            f"{dataset.name}: expected between 1 and {rows} clients, as there are train rows, got "
            f"{num_clients}; the partition 'sampled' takes any number."
        )


def _by_id(dataset: Dataset, column: str) -> tuple[Rows, Rows]:
    """Rows in the order of their ids, and where each id's begin."""
    ids = dataset.natural[column]
    # None, and NaN, which alone does not equal itself: what a table's empty field is read as.
    missing = sum(value is None or value != value for value in ids.tolist())
    if missing:
        raise DataError(
            f"natural: expected an id in {column!r} for every train row of {dataset.name}, found "
            f"{missing} rows without one; drop them or give them ids first."
        )
    try:
        order = np.argsort(ids, kind="stable")
    except TypeError as error:  # such as numbers among strings
        raise DataError(
            f"natural: expected ids of one kind in {column!r} of {dataset.name}, got: {error}"
        ) from error
    _, starts = np.unique(ids[order], return_index=True)
    return order.astype(np.int64), starts.astype(np.int64)


def _column(dataset: Dataset, column: str | None) -> str:
    known = list(dataset.natural)
    if column is None and len(known) == 1:
        return known[0]
    if column in known:
        return str(column)
    raise DataError(
        f"natural: expected a column of ids in {dataset.name} (known: {', '.join(known) or 'none'})"
        f", got {column!r}; load the data set with its ids or choose another partition."
    )
