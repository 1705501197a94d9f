"""Bytes to nodes and back over Flower's Grid: the one file on the server that knows its messages.

A Grid passes a reply on once. Delivery is otherwise as good as Flower's: a message may be lost when
a SuperLink dies between taking and giving it, and may reach a node twice when a push is repeated.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from baffle.drivers.flower.link import Link
from baffle.drivers.flower.records import MAX_TOTAL, NONCE_BYTES, from_record, to_record
from baffle.errors import DecodeError, LinkLost

log = logging.getLogger(__name__)

# Metadata and hashes of one push stay below 1 MiB (see MAX_PART); contents travel one by one.
PUSH_BYTES = 768 * 1024
PULL_IDS = 8192  # an id has 64 characters


@dataclass(frozen=True)
class Ask:
    """A message: to whom, part 0 and chunks, seconds for there and back, Flower's group."""

    node: int
    parts: Sequence[bytes]
    ttl: float
    group: str


@dataclass(frozen=True)
class Reply:
    """What came of a message: the answer's part 0, or why there is none."""

    node: int
    data: bytes | None
    problem: str | None = None


@dataclass
class Bytes:
    """Payload bytes and messages, down to the nodes and up from them."""

    down: int = 0
    up: int = 0
    messages_down: int = 0
    messages_up: int = 0


@dataclass
class _Outstanding:
    node: int
    until: float


@dataclass
class _Book:
    """Messages without a reply, by id, and nodes whose replies are fetched one at a time."""

    asks: dict[str, _Outstanding] = field(default_factory=dict)
    suspects: set[int] = field(default_factory=set)

    def forget(self, now: float) -> None:
        self.asks = {key: ask for key, ask in self.asks.items() if ask.until > now}

    def batches(self) -> list[list[str]]:
        """Return ids to pull together: those of suspects alone, the others in large lots."""
        alone = [key for key, ask in self.asks.items() if ask.node in self.suspects]
        rest = [key for key, ask in self.asks.items() if ask.node not in self.suspects]
        lots = [rest[start : start + PULL_IDS] for start in range(0, len(rest), PULL_IDS)]
        return [*lots, *([key] for key in alone)]


class GridTransport:
    """Sends byte strings to nodes and collects their answers.

    Args:
        grid: Flower's HttpGrid or InMemoryGrid, as a ServerApp gets it.
        patience: seconds to wait for a SuperLink that is away.
        max_reply: bytes that an answer may have.
        message_type: Flower's name of the ClientApp function that answers.
        clock: seconds, monotonic; for tests.
        link: for tests.
    """

    def __init__(
        self,
        grid: Any,
        *,
        patience: float = 60.0,
        max_reply: int = 1 << 20,
        message_type: str = "train",
        clock: Callable[[], float] = time.monotonic,
        link: Link | None = None,
    ) -> None:
        self._grid, self._type, self._clock = grid, message_type, clock
        self._max_reply = max_reply
        self._link = link or Link(grid, patience)
        self._book = _Book()
        self._unsent: list[Reply] = []
        self.bytes = Bytes()

    def nodes(self) -> frozenset[int]:
        """Return the ids of the nodes that the SuperLink holds for connected.

        A node that died is among them until two heartbeats are missed, about 55 s.

        Raises:
            LinkLost: the SuperLink is away for longer than the patience.
        """
        return frozenset(self._link.call(lambda: list(self._grid.get_node_ids())))

    def send_many(self, asks: Iterable[Ask]) -> None:
        """Send messages, as many in one push as stay below the payload limit.

        An ask that the SuperLink does not take (an unknown node) is a Reply with a problem at the
        next poll. Equal chunks in one push are sent once.

        Raises:
            LinkLost: the SuperLink is away for longer than the patience.
            ValueError: a part is too long, or there are too many.
        """
        lot: list[Ask] = []
        size = 0
        for ask in asks:
            room = 512 + len(ask.group) + 80 * len(ask.parts)  # metadata, and a hash for each part
            if lot and size + room > PUSH_BYTES:
                self._push(lot)
                lot, size = [], 0
            lot.append(ask)
            size += room
        if lot:
            self._push(lot)

    def _push(self, asks: Sequence[Ask]) -> None:
        made, taken = self._link.call(lambda: self._try_push(asks))
        now = self._clock()
        for ask, message in zip(asks, made, strict=True):
            key = message.metadata.message_id
            if key not in taken:
                problem = "the SuperLink did not take the message; is the node registered?"
                self._unsent.append(Reply(ask.node, None, problem))
                continue
            self._book.asks[key] = _Outstanding(ask.node, now + ask.ttl)
            self.bytes.down += sum(map(len, ask.parts))
            self.bytes.messages_down += 1

    def _try_push(self, asks: Sequence[Ask]) -> tuple[list[Any], set[str]]:
        """Push fresh messages (each attempt its own ids); return them and the ids taken."""
        made = [self._message(ask) for ask in asks]
        # InMemoryGrid leaves out what it did not take, HttpGrid returns "": only ids tell.
        return made, set(filter(None, self._grid.push_messages(list(made))))

    def _message(self, ask: Ask) -> Any:
        from flwr.app import Message

        content = to_record(ask.parts, nonce=secrets.token_bytes(NONCE_BYTES))
        return Message(content, ask.node, self._type, ttl=ask.ttl, group_id=ask.group)

    def poll(self) -> list[Reply]:
        """Return what came since the last call, without waiting.

        A bad answer is a Reply with a problem. A message whose time is over is forgotten.

        Raises:
            LinkLost: the SuperLink is away for longer than the patience.
        """
        replies, self._unsent = self._unsent, []
        for ids in self._book.batches():
            replies += self._pull(ids)
        self._book.forget(self._clock())  # after a last look
        return replies

    def _pull(self, ids: list[str]) -> list[Reply]:
        try:
            messages = self._link.call(lambda: list(self._grid.pull_messages(list(ids))))
        except LinkLost:
            raise
        except Exception as error:
            return self._spoilt(ids, error)
        return [self._reply(message) for message in messages]

    def _spoilt(self, ids: list[str], error: Exception) -> list[Reply]:
        """Bear a reply whose objects Flower cannot put together.

        Flower then raises for the whole batch and has dropped every reply in it. So the nodes
        concerned are asked for one at a time until each has given one whole reply, and a node
        that spoils its own reply spoils no other.
        """
        nodes = {self._book.asks[key].node for key in ids}
        log.warning("a reply from one of %d nodes is not to be read: %r", len(nodes), error)
        self._book.suspects |= nodes
        if len(ids) > 1:
            return []
        node = self._book.asks.pop(ids[0]).node
        return [Reply(node, None, f"Flower cannot read the reply: {repr(error)[:200]}")]

    def _reply(self, message: Any) -> Reply:
        metadata = message.metadata
        ask = self._book.asks.pop(metadata.reply_to_message_id, None)
        if ask is None:
            return Reply(metadata.src_node_id, None, "a reply to a message that was not sent")
        if message.has_error():
            error = message.error
            return Reply(ask.node, None, f"error {error.code}: {(error.reason or '')[:200]}")
        if metadata.src_node_id != ask.node:
            return Reply(ask.node, None, f"node {metadata.src_node_id} answered in its place")
        return self._content(ask.node, message)

    def _content(self, node: int, message: Any) -> Reply:
        self._book.suspects.discard(node)  # Flower could read a reply of its own
        self.bytes.messages_up += 1
        try:
            content = message.content if message.has_content() else None
            data = _only(from_record(content, max_total=min(self._max_reply, MAX_TOTAL)))
        except DecodeError as error:
            return Reply(node, None, str(error))
        self.bytes.up += len(data)
        return Reply(node, data)


def _only(parts: Sequence[bytes]) -> bytes:
    if len(parts) != 1:
        raise DecodeError(f"expected an answer in one part, got {len(parts)}")
    return parts[0]
