"""What a simulated client keeps between messages: records of Flower's own context.

Flower's simulation hands a client's context to whichever of its processes answers next, so what a
process remembers of a client may be old; the context is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baffle.errors import BaffleError
from baffle.fleet import Kept, Replica
from baffle.ledger import snapshot
from baffle.protocol import Genesis
from baffle.protocol.exchange import TailRow

NAME, WALLET = "baffle", "baffle.wallet"


class RecordStore:
    """A store in the state of a Flower context.

    Args:
        state: the context's RecordDict.
    """

    def __init__(self, state: Any) -> None:
        self._state = state

    def begin(self, genesis: Genesis) -> Replica:
        """Make room for a run; the one before is forgotten."""
        self._put({"genesis": genesis.to_bytes()})
        return Replica(genesis)

    def load(self, run: bytes) -> tuple[Replica, Kept] | None:
        """Return what is kept of a run."""
        fields = self._state.get(NAME)
        if fields is None:
            return None
        try:
            empty = Replica(Genesis.from_bytes(fields["genesis"]))
        except BaffleError:
            return None
        if empty.genesis.run != run:
            return None
        kept = Kept(fields.get("data", b""), int(fields.get("microseconds", 0)))
        if "state" not in fields:
            return empty, kept
        state, digest = snapshot.decode(fields["state"], empty.form)
        return Replica(empty.genesis, state, digest), kept

    def save(self, replica: Replica, kept: Kept, rows: Sequence[TailRow] = ()) -> None:
        """Keep a copy."""
        state = {"state": snapshot.encode(replica.state)} if replica.state else {}
        facts = {"data": kept.data, "microseconds": kept.microseconds}
        self._put({"genesis": replica.genesis.to_bytes()} | facts | state)

    def wallet(self, run: bytes) -> bytes | None:
        """Return a run's wallet, None if there is none."""
        fields = self._state.get(WALLET)
        found: bytes | None = fields[run.hex()] if fields and run.hex() in fields else None
        return found

    def keep_wallet(self, run: bytes, wallet: bytes) -> None:
        """Keep a run's wallet; those of other runs are forgotten."""
        from flwr.app import ConfigRecord

        self._state[WALLET] = ConfigRecord({run.hex(): wallet})

    def key(self, run: bytes) -> bytes | None:
        """Return none: a simulation's server and clients are one program."""
        return None

    def keep_key(self, run: bytes, key: bytes) -> None:
        """Keep nothing."""

    def _put(self, fields: dict[str, Any]) -> None:
        from flwr.app import ConfigRecord

        self._state[NAME] = ConfigRecord(fields)
