"""What a client gets to come up to date: the rounds that it missed, or the whole state.

Rounds are small and have to be rebuilt, a state is large and only has to be carried. Which is
cheaper depends on the model, on how many rounds are missing, and on the client:

    cost of rounds    bytes / rate + rounds · seconds a round
    cost of a state   bytes / rate
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from baffle.fleet.members import Member
from baffle.ledger import Ledger, snapshot
from baffle.protocol.exchange import Holding, SnapshotHeader, TailRow
from baffle.updates import TrainState

CHUNK = 2**19  # small enough for proxies that refuse bodies above 1 MiB


@dataclass(frozen=True)
class Costs:
    """What carrying and rebuilding cost.

    Args:
        bytes_per_second: of the client's way down.
        seconds: that one round takes to rebuild where the client has not measured.
    """

    bytes_per_second: float
    seconds: float

    def of_rounds(self, size: int, rounds: int, seconds: float) -> float:
        """Return the seconds to carry and rebuild rounds."""
        return size / self.bytes_per_second + rounds * (seconds or self.seconds)

    def of_state(self, size: int) -> float:
        """Return the seconds to carry a state."""
        return size / self.bytes_per_second


@dataclass(frozen=True)
class CatchUp:
    """What goes to a client before the plan.

    Args:
        snapshot: header of the chunks, None if rounds suffice.
        chunks: of the snapshot.
        tail: rounds.
    """

    snapshot: SnapshotHeader | None
    chunks: tuple[bytes, ...]
    tail: tuple[TailRow, ...]

    @property
    def size(self) -> int:
        """Bytes of it."""
        return sum(map(len, self.chunks)) + sum(map(len, self.tail))


UP_TO_DATE = CatchUp(None, (), ())


class Downlink:
    """Makes what clients lack, once a round for all who lack the same.

    Args:
        ledger: open; rounds are read from it.
        start: digest of the state before round 0.
    """

    def __init__(self, ledger: Ledger, start: bytes) -> None:
        self._ledger, self._start = ledger, start
        self._state: tuple[bytes, CatchUp] | None = None
        self._rows: dict[int, TailRow] = {}

    def knows(self, holding: Holding) -> bool:
        """Return whether a state is one of this run's, as far as the ledger reaches back."""
        round_ = holding.round
        if round_ == 0:
            return holding.digest == self._start
        if not self._ledger.first_round <= round_ <= self._ledger.last_round:
            return False
        return next(self._ledger.rows(round_, round_)).digest == holding.digest

    def catch_up(self, member: Member, state: TrainState, digest: bytes, costs: Costs) -> CatchUp:
        """Return the cheapest way for a client to this state.

        Args:
            member: the client, with what it is known to hold.
            state, digest: where it has to come to, the ledger's end.
            costs: of carrying and rebuilding.
        """
        held = member.holding
        if held == Holding(state.round, digest):
            return UP_TO_DATE
        if held is None or held.round >= state.round or held.round + 1 < self._ledger.first_round:
            return self.whole(state, digest)
        rounds, whole = state.round - held.round, costs.of_state(snapshot.size(state))
        if (
            rounds * (member.seconds or costs.seconds) > whole
        ):  # a long absence is not read from disk for nothing
            return self.whole(state, digest)
        rebuilt = CatchUp(None, (), self.rows(held.round, state.round))
        if costs.of_rounds(rebuilt.size, rounds, member.seconds) > whole:
            return self.whole(state, digest)
        return rebuilt

    def whole(self, state: TrainState, digest: bytes) -> CatchUp:
        """Return a state as a snapshot in chunks."""
        if self._state is None or self._state[0] != digest:
            data = snapshot.encode(state)
            chunks = tuple(data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
            header = SnapshotHeader(
                state.round, len(data), hashlib.sha256(data).digest(), len(chunks)
            )
            self._state = (digest, CatchUp(header, chunks, ()))
        return self._state[1]

    def rows(self, since: int, until: int) -> tuple[TailRow, ...]:
        """Return the rounds that lead from one state to another."""
        missing = [r for r in range(since + 1, until + 1) if r not in self._rows]
        if missing:
            for row in self._ledger.rows(missing[0], missing[-1]):
                self._rows[row.round] = TailRow(row.plan, row.outcome)
        found = tuple(self._rows[r] for r in range(since + 1, until + 1))
        self._forget(until)
        return found

    def _forget(self, until: int, keep: int = 64) -> None:
        """Keep the last rounds at hand: most clients miss only these."""
        self._rows = {r: row for r, row in self._rows.items() if r > until - keep}
