"""A client that answers its server and nobody else: signed asks in, answers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from baffle.errors import ProtocolError, Refused
from baffle.fleet.client import FleetClient
from baffle.protocol.exchange import Trouble, decode_ask, encode_answer
from baffle.protocol.exchange.signed import Pin, open_ask
from baffle.protocol.messages import run_id


class Keys(Protocol):
    """Where a client keeps the key that a run's asks come under."""

    def key(self, run: bytes) -> bytes | None:
        """Return the run's key, None if the run is new."""
        ...

    def keep_key(self, run: bytes, key: bytes) -> None:
        """Keep the key of a run that the client took up."""
        ...


class Guard:
    """Stands before a client.

    Args:
        client: who answers.
        node: number of the node that it is, as its transport has it.
        pin: whose asks are answered.
        keys: keys of runs.
    """

    def __init__(self, client: FleetClient, node: int, pin: Pin, keys: Keys) -> None:
        self._client, self._node, self._pin, self._keys = client, node, pin, keys

    def handle(self, parts: Sequence[bytes]) -> bytes:
        """Answer a signed ask; one that is none is told so, and changes nothing here.

        Args:
            parts: the signed ask, and behind it a snapshot's chunks.
        """
        run = self._client.run
        try:
            ask, key = open_ask(parts[0] if parts else b"", self._node)
            found = decode_ask(ask)
            run = found.run
            known = self._keys.key(run)
            self._pin.require(key, known)
        except ProtocolError as problem:
            reason = problem.reason if isinstance(problem, Refused) else "decode"
            return encode_answer(Trouble(reason, str(problem), None), run)
        # Before anything else is kept of the run: a crash must not leave a run without its key.
        if known is None and found.genesis is not None and run_id(found.genesis) == run:
            self._keys.keep_key(run, key)
        answer = self._client.handle_ask(ask, parts[1:])
        if known is None and self._client.run == run:  # it held the run already, without a key
            self._keys.keep_key(run, key)
        return answer
