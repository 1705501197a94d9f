"""Who is who: client numbers of a run, the nodes that speak for them, and what they hold.

A number belongs to the client whose tag it was first given to. A node may speak for a number if it
shows that tag, and only while no other connected node does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from baffle.errors import DecodeError, Refused
from baffle.protocol.exchange import Holding, Holds
from baffle.protocol.exchange.answer import TAG_BYTES
from baffle.protocol.exchange.signed import MAX_NODE
from baffle.secagg import Advert

FORMAT = 1


@dataclass
class Member:
    """One client.

    Args:
        number: its place in the roster.
        tag: what tells it apart, 16 bytes.
        node: the node that speaks for it; None until it is heard of in this session.
        holding: the newest state that it is known to hold.
        seconds: that a round takes it to rebuild; 0 if unknown.
        first: the node that it was given its number with.
        advert: its keys for the next secure sum; None while they are not known, or spent.
    """

    number: int
    tag: bytes
    node: int | None = None
    holding: Holding | None = None
    seconds: float = 0.0
    first: int | None = None
    advert: Advert | None = None


class Members:
    """The roster of a run.

    Args:
        clients: how many numbers there are.
        known: (number, tag, first node) from an earlier session.
    """

    def __init__(self, clients: int, known: Iterable[tuple[int, bytes, int | None]] = ()) -> None:
        self.clients = clients
        self.by_number = {n: Member(n, tag, first=first) for n, tag, first in known}
        self._by_tag = {m.tag: m for m in self.by_number.values()}
        self._given = {m.first: n for n, m in self.by_number.items() if m.first is not None}
        self._by_node: dict[int, Member] = {}

    def of(self, node: int) -> Member | None:
        """Return whom a node speaks for."""
        return self._by_node.get(node)

    def present(self, online: frozenset[int]) -> list[Member]:
        """Return the members whose nodes are connected, by number."""
        found = [m for node, m in self._by_node.items() if node in online]
        return sorted(found, key=lambda m: m.number)

    def greet(self, node: int, holds: Holds, online: frozenset[int]) -> Member:
        """Take what a node says of itself and return its member.

        Args:
            node: whom the transport says it came from.
            holds: what it says.
            online: the nodes connected now.

        Raises:
            Refused: "claim" for a number that does not exist, "identity" for one that belongs to
                someone else, "full" if there is none left.
        """
        try:
            member = self._by_tag.get(holds.tag) or self._new(node, holds)
        except Refused:
            self._leave(node)  # whoever it spoke for before, it does not any more
            raise
        if member.node not in (None, node) and member.node in online:
            raise Refused(
                "identity",
                f"node {node} speaks for client {member.number}, and so does node {member.node}, "
                "which is connected: two nodes share one state folder",
            )
        if self._by_node.get(node) is not member:
            self._leave(node)
        if member.node is not None:
            del self._by_node[member.node]
        member.node, self._by_node[node] = node, member
        member.holding, member.seconds = holds.holding, holds.microseconds * 1e-6
        return member

    def _leave(self, node: int) -> None:
        """Take note that a node speaks for nobody."""
        before = self._by_node.pop(node, None)
        if before is not None:
            before.node = None

    def _new(self, node: int, holds: Holds) -> Member:
        number = self._free() if holds.claim is None else holds.claim
        if number >= self.clients:
            raise Refused(
                "claim", f"node {node}: expected a client below {self.clients}, got {number}"
            )
        if number in self.by_number:
            raise Refused(
                "identity",
                f"node {node} claims client {number}, which belongs to another: restore its state "
                "folder, or take its row out of members.json",
            )
        if node in self._given:
            raise Refused(
                "identity",
                f"node {node} was given client {self._given[node]} and asks for client {number} "
                "under another secret: one node has one number",
            )
        member = Member(number, holds.tag, first=node)
        self._given[node] = number
        self.by_number[number] = self._by_tag[holds.tag] = member
        return member

    def _free(self) -> int:
        for number in range(self.clients):
            if number not in self.by_number:
                return number
        raise Refused("full", f"all {self.clients} clients of the run have their nodes already")

    def to_json(self) -> str:
        """Return the roster as text: numbers and tags, nothing that changes from round to round."""
        members = sorted(self.by_number.items())
        tags = {str(n): m.tag.hex() for n, m in members}
        nodes = {str(n): m.first for n, m in members if m.first is not None}
        found = {"format": FORMAT, "clients": self.clients, "tags": tags, "nodes": nodes}
        return json.dumps(found, indent=1)

    @staticmethod
    def from_json(text: str, clients: int) -> Members:
        """Return the roster of a text.

        Raises:
            DecodeError: it is none, or of another number of clients.
        """
        try:
            found: Any = json.loads(text, object_pairs_hook=_table)
            if (found["format"], found["clients"]) != (FORMAT, clients):
                raise ValueError(f"format {found['format']} and {found['clients']} clients")
            nodes = found["nodes"]
            rows = [(int(n), bytes.fromhex(t), nodes.get(n)) for n, t in found["tags"].items()]
            if any(not 0 <= n < clients for n, _, _ in rows) or _twice(t for _, t, _ in rows):
                raise ValueError("a number out of range or a tag twice")
            if any(len(t) != TAG_BYTES for _, t, _ in rows):
                raise ValueError(f"a tag that has not {TAG_BYTES} bytes")
            if any(type(v) is not int or not 0 <= v <= MAX_NODE for v in nodes.values()):
                raise ValueError(f"a node that is no number up to {MAX_NODE}")
            members = Members(clients, rows)
            if members.to_json() != json.dumps(found, indent=1):  # spacing apart, as it is written
                raise ValueError("numbers, tags or keys in another form than they are written in")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise DecodeError(
                f"members: expected format {FORMAT} and {clients} clients, got {problem!s:.200}"
            ) from None
        return members


def _twice(values: Iterable[bytes]) -> bool:
    found = list(values)
    return len(set(found)) < len(found)


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found
