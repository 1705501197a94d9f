"""An ask: the plan, and before it whatever its receiver lacks to follow it.

In a steady state it takes 27 bytes and the plan.

The first part of a message is the ask; a snapshot's chunks are further parts, in their order, so
that a transport may carry and share them as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from baffle.protocol.codec import MAX_COUNT
from baffle.protocol.exchange import sums
from baffle.protocol.exchange.reader import Reader, sized, u32
from baffle.protocol.messages import DIGEST_BYTES, RUN_BYTES

ASK, VERSION = 0x41, 1
GENESIS, SNAPSHOT, TAIL, PLAN, EVALUATE, GROUP, SUMS = 1, 2, 4, 8, 16, 32, 64
KNOWN = GENESIS | SNAPSHOT | TAIL | PLAN | EVALUATE | GROUP | SUMS

MAX_GENESIS = 2**22
MAX_PLAN = 109 + 2**16
MAX_OUTCOME = 95 + 8 * MAX_COUNT
MAX_ROWS = 2**24
MAX_SNAPSHOT = 2**40
MAX_CHUNKS = 2**16
MAX_HELD = 2**32 - 2  # round of a state; 2^32 - 1 says in an answer that there is none


@dataclass(frozen=True)
class TailRow:
    """A closed round: plan and outcome, as encoded."""

    plan: bytes
    outcome: bytes

    def __len__(self) -> int:
        return 8 + len(self.plan) + len(self.outcome)


@dataclass(frozen=True)
class SnapshotHeader:
    """What a snapshot's chunks come to.

    Args:
        round: of the state.
        size: bytes of all chunks together.
        sha256: over all chunks, 32 bytes.
        chunks: how many there are.
    """

    round: int
    size: int
    sha256: bytes
    chunks: int


@dataclass(frozen=True)
class Ask:
    """What the server sends to one client.

    Args:
        run: the run's 16 bytes.
        client: the number that the server gives its receiver.
        genesis: the run's start, for a receiver that does not have it; else None.
        snapshot: header of the state to take, or None to go on from the one held.
        tail: rounds to follow from there.
        plan: what to answer, as encoded; None asks only what the client holds.
        evaluate: whether to evaluate the weights on data held out for it.
        group: the receiver's, where the plan has groups and reports go in the clear; else None.
        sums: messages of secure sums: how a round's is opened, and shares for the next one; or
            beside a plan, the one that asks for its masked vector.
    """

    run: bytes
    client: int
    genesis: bytes | None = None
    snapshot: SnapshotHeader | None = None
    tail: Sequence[TailRow] = ()
    plan: bytes | None = None
    evaluate: bool = False
    group: int | None = None
    sums: tuple[bytes, ...] = ()

    @property
    def context(self) -> bytes:
        """What an answer to its messages of secure sums is bound to, 32 bytes."""
        return sums.context(self.plan, self.sums)


def encode_ask(ask: Ask) -> bytes:
    """Return an ask's one encoding."""
    flags = (
        (ask.genesis is not None) * GENESIS
        | (ask.snapshot is not None) * SNAPSHOT
        | bool(ask.tail) * TAIL
        | (ask.plan is not None) * PLAN
        | ask.evaluate * EVALUATE
        | (ask.group is not None) * GROUP
        | bool(ask.sums) * SUMS
    )
    parts = [bytes((ASK, VERSION, flags)), ask.run, u32(ask.client)]
    if ask.genesis is not None:
        parts.append(sized(ask.genesis))
    if ask.snapshot is not None:
        s = ask.snapshot
        parts += [u32(s.round), s.size.to_bytes(8, "little"), s.sha256, u32(s.chunks)]
    if ask.tail:
        parts.append(u32(len(ask.tail)))
        parts += [sized(part) for row in ask.tail for part in (row.plan, row.outcome)]
    if ask.plan is not None:
        parts.append(sized(ask.plan))
    if ask.group is not None:
        parts.append(ask.group.to_bytes(2, "little"))
    if ask.sums:
        parts.append(sums.encode(ask.sums))
    return b"".join(parts)


def decode_ask(data: bytes) -> Ask:
    """Return the ask that these bytes encode; plans, outcomes and genesis stay encoded.

    Raises:
        DecodeError: anything but the one encoding of an ask; names the field.
    """
    reader = Reader("ask", data)
    code, version, flags = reader.take(3)
    reader.need(code == ASK, f"type byte {ASK:#04x}", hex(code))
    reader.need(version == VERSION, f"version {VERSION}; upgrade the older side", version)
    reader.need(flags & ~KNOWN == 0, f"flags within {KNOWN:#04x}", hex(flags))
    run, client = reader.take(RUN_BYTES), reader.number(4)
    genesis = reader.sized("a genesis", MAX_GENESIS) if flags & GENESIS else None
    snapshot = _snapshot(reader) if flags & SNAPSHOT else None
    tail = _tail(reader) if flags & TAIL else ()
    plan = reader.sized("a plan", MAX_PLAN) if flags & PLAN else None
    group = reader.number(2) if flags & GROUP else None
    messages = sums.decode_asks(reader, plan is not None) if flags & SUMS else ()
    reader.need(group is None or plan is not None, "a group with a plan", "one without")
    reader.need(group is None or not messages, "a group or secure sums", "both")
    reader.end()
    return Ask(run, client, genesis, snapshot, tail, plan, bool(flags & EVALUATE), group, messages)


def _snapshot(reader: Reader) -> SnapshotHeader:
    round_, size = reader.number(4), reader.number(8)
    sha256, chunks = reader.take(DIGEST_BYTES), reader.number(4)
    reader.need(round_ <= MAX_HELD, f"a state of a round up to {MAX_HELD}", round_)
    reader.need(1 <= chunks <= MAX_CHUNKS, f"1 to {MAX_CHUNKS} chunks", chunks)
    reader.need(chunks <= size <= MAX_SNAPSHOT, f"a snapshot of up to {MAX_SNAPSHOT} bytes", size)
    return SnapshotHeader(round_, size, sha256, chunks)


def _tail(reader: Reader) -> tuple[TailRow, ...]:
    count = reader.number(4)
    reader.need(1 <= count <= MAX_ROWS, f"1 to {MAX_ROWS} rounds", count)
    rows = []
    for _ in range(count):  # a count that lies meets the end of the bytes
        plan = reader.sized("a plan", MAX_PLAN)
        rows.append(TailRow(plan, reader.sized("an outcome", MAX_OUTCOME)))
    return tuple(rows)
