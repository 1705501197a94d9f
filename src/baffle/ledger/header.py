"""The header of a snapshot file: what its state is of, and where each tensor's bytes stand.

    u64 length ‖ JSON: round, updates, digest; by "slot/name" type, shape and place ‖ the tensors

It has one form for a given state's shapes, so that a reader compares instead of believing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baffle.ledger.chain import MAX_ROUND
from baffle.updates import TrainState

SNAPSHOT_FORMAT = "1"
DIGEST_DIGITS = 64
HEADER_SLACK = 160  # rounds, updates and digest, which a header of no counts lacks
LENGTH_BYTES = 8

Shapes = Mapping[str, tuple[int, ...]]  # by "slot/name", in the order of the file


@dataclass(frozen=True)
class Header:
    """What a snapshot file begins with.

    Args:
        round, updates: of its state.
        digest: of its state, as it says; hexadecimal digits.
        shapes: of its tensors.
    """

    round: int
    updates: int
    digest: str
    shapes: Shapes

    @property
    def data(self) -> bytes:
        """The header's bytes."""
        return encode((str(self.round), str(self.updates), self.digest), self.shapes)

    @property
    def starts(self) -> dict[str, int]:
        """Where each tensor's bytes begin in the file."""
        found, at = {}, len(self.data)
        for key, shape in self.shapes.items():
            found[key] = at
            at += 4 * math.prod(shape)
        return found

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.data) + sum(4 * math.prod(shape) for shape in self.shapes.values())


def shapes_of(state: TrainState) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a state's tensors, in the order of a snapshot file."""
    return {
        f"{slot}/{name}": tuple(state.slots[slot][name].shape)
        for slot in sorted(state.slots)
        for name in sorted(state.slots[slot])
    }


def encode(counts: Sequence[str], shapes: Shapes) -> bytes:
    """Return a header's bytes.

    Args:
        counts: round, updates and digest, as text; fewer for less of a header.
        shapes: of the tensors.
    """
    about = dict(zip(("round", "updates", "digest"), counts, strict=False))
    entries: dict[str, Any] = {"__metadata__": {"format": SNAPSHOT_FORMAT, **about}}
    end = 0
    for key, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        entries[key] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors start on a multiple of 8 bytes
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def decode(first: Callable[[int], bytes], size: int, shapes: Shapes) -> Header:
    """Return the header that a snapshot begins with.

    Args:
        first: returns the snapshot's first bytes, so many; they are nobody's word.
        size: bytes of the whole snapshot.
        shapes: that its tensors must have.

    Raises:
        ValueError: anything but the header of such a state.
    """
    length = int.from_bytes(first(LENGTH_BYTES), "little")
    limit = len(encode("", shapes)) + HEADER_SLACK
    if not size >= LENGTH_BYTES + length <= limit:
        raise ValueError(f"expected a header of at most {limit} bytes, got one of {length}")
    data = first(LENGTH_BYTES + length)
    try:
        about = json.loads(data[LENGTH_BYTES:])["__metadata__"]
        counts = [about[name] for name in ("round", "updates", "digest")]
        if not all(isinstance(count, str) and count.isascii() for count in counts):
            raise ValueError("counts that are not digits")
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise ValueError(f"expected a snapshot's header, got {problem!r:.80}") from None
    rounds, updates = count(counts[0], "rounds"), count(counts[1], "updates")
    found = Header(rounds, updates, counts[2], shapes)
    # Counts of another form, as 007, or a digest of none, are found by comparing with `data` too.
    if found.data != data or found.size != size:
        raise ValueError("expected a snapshot of this run's tensors, got another form")
    return found


def count(text: object, what: str) -> int:
    """Return a number that a header says.

    Raises:
        ValueError: it says none.
    """
    known = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20
    if not (isinstance(text, str) and known and int(text) <= MAX_ROUND):
        raise ValueError(f"a snapshot says no number of {what}")
    return int(text)
