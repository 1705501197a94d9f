"""What a run has spent of its privacy, by who took part in its rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from baffle.ledger import Ledger
from baffle.privacy import PrivacySpec, epsilon
from baffle.protocol.participants import decode_participants


class Budget:
    """ε of the clients, and whether a round may be opened.

    Args:
        spec: what the run promises; None if nothing.
        limit: ε that no client may pass.
    """

    def __init__(self, spec: PrivacySpec | None, limit: float) -> None:
        self._spec, self._limit = spec, limit
        self._rounds: Counter[int] = Counter()
        self._before = 0
        self._known: dict[int, float] = {}

    def take(self, clients: Iterable[int]) -> None:
        """Count a round that these clients took part in."""
        if self._spec is not None:
            self._rounds.update(clients)

    def before(self, rounds: int) -> None:
        """Count rounds of which nobody knows any more who took part: for everyone."""
        self._before = rounds

    def recall(self, ledger: Ledger) -> None:
        """Count all rounds of a ledger, also those that were pruned."""
        if self._spec is not None:
            self.before(ledger.first_round - 1)
            for row in ledger.rows():
                self.take(decode_participants(row.participants))

    def allows(self, clients: Iterable[int], rounds: int = 1) -> bool:
        """Return whether none of these clients would pass the budget by so many more rounds."""
        if self._spec is None:
            return True
        most = max((self._rounds[c] for c in clients), default=0)
        return self._epsilon(self._before + most + rounds) <= self._limit

    @property
    def spent(self) -> float:
        """ε of the client that took part most often; 0 without a promise."""
        most = self._before + max(self._rounds.values(), default=0)
        return self._epsilon(most) if self._spec else 0.0

    def row(self) -> dict[str, Any]:
        """Return what a round's row says of it; empty without a promise."""
        if self._spec is None:
            return {}
        return {"epsilon": self.spent, "delta": self._spec.delta, "unit": self._spec.unit}

    def _epsilon(self, rounds: int) -> float:
        assert self._spec is not None
        s = self._spec
        if rounds not in self._known:  # asked for every client of a roster
            self._known[rounds] = epsilon(s.noise_multiplier, rounds, s.delta, s.sampling)
        return self._known[rounds]
