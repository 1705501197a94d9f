"""What a fleet's server needs of a network: who is there, bytes to them, bytes from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from baffle.fleet import Outgoing


class Reply(Protocol):
    """What came back: `data`, or `problem` in words where the network could not get an answer."""

    @property
    def node(self) -> int:
        """The node that the network says it came from."""
        ...

    @property
    def data(self) -> bytes | None:
        """An answer's bytes."""
        ...

    @property
    def problem(self) -> str | None:
        """Why there is no answer."""
        ...


class Transport(Protocol):
    """A network of nodes, each with a number."""

    def nodes(self) -> frozenset[int]:
        """Return the nodes that are connected."""
        ...

    def carry(self, messages: Iterable[Outgoing], seconds: float, group: str) -> None:
        """Send messages that are valid for some seconds; `group` is for the network's own logs."""
        ...

    def poll(self) -> Iterable[Reply]:
        """Return what came since the last call, without waiting."""
        ...
