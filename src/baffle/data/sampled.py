"""A roster of any size on a data set of any size: each client's rows are drawn when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from baffle.data.base import Rows
from baffle.data.draws import distinct


@dataclass(frozen=True)
class SampledRows(Sequence[Rows]):
    """Row indices of each client, a function of (seed, client) and stored nowhere.

    Two clients may hold the same row, one client never holds a row twice.

    Args:
        rows: train rows in the data set.
        rows_per_client: rows a client, at most `rows`.
        seed: the roster's seed.
        clients: numbers of the clients; a slice of the sequence keeps them.

    Example:
        >>> roster = SampledRows(rows=100, rows_per_client=3, seed=0, clients=range(10**6))
        >>> len(roster), len(roster[999_999]), len(roster[10:20])
        (1000000, 3, 10)
    """

    rows: int
    rows_per_client: int
    seed: int
    clients: range

    def __len__(self) -> int:
        return len(self.clients)

    @overload
    def __getitem__(self, index: int) -> Rows: ...

    @overload
    def __getitem__(self, index: slice) -> SampledRows: ...

    def __getitem__(self, index: int | slice) -> Rows | SampledRows:
        if isinstance(index, slice):
            return replace(self, clients=self.clients[index])
        client = self.clients[index]
        return distinct(self.rows, self.rows_per_client, "sampled", self.seed, client)
