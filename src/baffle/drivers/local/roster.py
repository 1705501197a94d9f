"""The clients of a simulated federation, made when they are asked and forgotten after."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from baffle.directions import Points, Probe
from baffle.directions.kind import Weights
from baffle.protocol import Client, Rules


def simulated_secret(key: int, number: int) -> bytes:
    """Return a simulated client's secret: from the run key, so that a run repeats.

    A device's secret comes from itself instead.
    """
    return hashlib.sha256(f"baffle simulated client 1\n{key}\n{number}".encode()).digest()


class SharedProbe(Probe, Protocol):
    """A probe that also takes many clients in one call."""

    def many(
        self, weights: Weights, points: Points, groups: Sequence[NDArray[np.int64]], /
    ) -> NDArray[np.float64]:
        """Return each client's losses on its own examples, as many for each; float64 [C, P]."""
        ...

    def each(
        self, weights: Weights, points: Points, examples: NDArray[np.int64], /
    ) -> NDArray[np.float64]:
        """Return the loss of each example at each point; float64 [B, P]."""
        ...


@dataclass(frozen=True)
class RowsProbe:
    """A probe of the shared model on one client's rows of the shared data."""

    probe: SharedProbe
    rows: NDArray[np.int64]

    def __call__(
        self, weights: Weights, points: Points, examples: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the losses on the client's own examples, by their place among its rows."""
        return self.probe(weights, points, self.rows[examples])

    def each(
        self, weights: Weights, points: Points, examples: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the loss of each of the client's own examples at each point; float64 [B, P]."""
        return self.probe.each(weights, points, self.rows[examples])


@dataclass(frozen=True)
class Roster:
    """All registered clients; holds none of them.

    Args:
        key: run key.
        run: the run's 16 bytes.
        rules: what the run's integers mean.
        probe: the shared model on the shared data.
        rows: each client's rows, a list or a lazy sequence.
    """

    key: int
    run: bytes
    rules: Rules
    probe: SharedProbe
    rows: Sequence[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.rows)

    def client(self, number: int) -> Client:
        """Return a client, made anew: between rounds it keeps nothing but its secret."""
        rows = self.rows[number]
        secret = simulated_secret(self.key, number)
        return Client(number, secret, self.run, self.rules, RowsProbe(self.probe, rows), len(rows))

    def own(self, client: Client) -> NDArray[np.int64]:
        """Return the rows of a client of this roster."""
        assert isinstance(client.probe, RowsProbe)
        return client.probe.rows
