"""Where a client's copy of the state lies: in memory, or on its disk.

On the disk it is a snapshot file whose tensors are read when they are looked at, and a round's
update goes through memory a few tensors at a time. So what a client holds depends on its model's
largest tensors, and no more on the optimiser's slots. The price is a file written each round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from baffle.errors import Refused
from baffle.ledger import snapshot, stored
from baffle.protocol import Outcome, Plan, Rules
from baffle.protocol.exchange import SnapshotHeader
from baffle.protocol.in_parts import advance_in_parts
from baffle.updates import TrainState

Held = tuple[TrainState, bytes]  # a state and its digest


class Room(Protocol):
    """Where states lie."""

    def loaded(self, header: SnapshotHeader, chunks: Sequence[bytes], like: TrainState) -> Held:
        """Return the state that a snapshot's chunks hold, and its digest.

        Args:
            header: what the chunks must come to.
            chunks: nobody vouches for them.
            like: a state of the run, for its form.

        Raises:
            ValueError: anything but such a snapshot.
        """
        ...

    def advanced(self, rules: Rules, state: TrainState, plan: Plan, outcome: Outcome) -> Held:
        """Return the state after a round, and its digest; the one before stays as it is.

        Raises:
            ProtocolError, BoundError: as `Rules.advance`.
        """
        ...


class InMemory:
    """States in memory."""

    def loaded(self, header: SnapshotHeader, chunks: Sequence[bytes], like: TrainState) -> Held:
        """Return the state that chunks hold: views of one array of bytes."""
        state, digest = snapshot.decode(joined(header, chunks), like)
        return _of_round(header, state), digest

    def advanced(self, rules: Rules, state: TrainState, plan: Plan, outcome: Outcome) -> Held:
        """Return the state after a round."""
        after = rules.advance(state, plan, outcome)
        return after, after.digest()


MEMORY = InMemory()


class OnDisk:
    """States in a snapshot file, one after another under the same name.

    A crash leaves the one before or the one after, whole. Nothing is synced: a power cut costs the
    state, which is then asked for again.

    Args:
        path: of the file; its folder is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def loaded(self, header: SnapshotHeader, chunks: Sequence[bytes], like: TrainState) -> Held:
        """Return the state that chunks hold, written as they come."""
        with _written():
            came = self.path.with_suffix(".came")
            try:
                _write(came, header, chunks)
                state, digest = stored.read(came, like)
                _of_round(header, state)
                came.replace(self.path)
            finally:
                came.unlink(missing_ok=True)
        return state, digest

    def advanced(self, rules: Rules, state: TrainState, plan: Plan, outcome: Outcome) -> Held:
        """Return the state after a round, written tensor by tensor."""
        with _written():
            return stored.write(self.path, state, advance_in_parts(rules, state, plan, outcome))


def _of_round(header: SnapshotHeader, state: TrainState) -> TrainState:
    if state.round != header.round:
        raise ValueError(f"expected a snapshot of round {header.round}, got {state.round}")
    return state


def _require_size(header: SnapshotHeader, chunks: int, size: int) -> None:
    if chunks != header.chunks or size != header.size:
        raise ValueError(
            f"expected {header.chunks} chunks of {header.size} bytes, got {chunks} of {size}"
        )


def _require_hash(header: SnapshotHeader, found: bytes) -> None:
    if found != header.sha256:
        raise ValueError("a snapshot's chunks have another hash than its header says")


def joined(header: SnapshotHeader, chunks: Sequence[bytes]) -> bytes:
    """Return a snapshot's bytes.

    Raises:
        ValueError: the chunks are not those that the header describes.
    """
    _require_size(header, len(chunks), sum(map(len, chunks)))
    data = b"".join(chunks)
    _require_hash(header, hashlib.sha256(data).digest())
    return data


def _write(path: Path, header: SnapshotHeader, chunks: Sequence[bytes]) -> None:
    """Write a snapshot's chunks, no more bytes than its header says.

    Raises:
        ValueError: they are not those that the header describes.
    """
    found, size, count = hashlib.sha256(), 0, 0
    with path.open("wb") as file:
        for chunk in chunks:
            size, count = size + len(chunk), count + 1
            if size > header.size:
                break
            file.write(chunk)
            found.update(chunk)
    _require_size(header, count, size)
    _require_hash(header, found.digest())


@contextmanager
def _written() -> Iterator[None]:
    """Say in a sentence what a disk would not take.

    Raises:
        Refused: "failed"; the state before is there as it was.
    """
    try:
        yield
    except OSError as problem:
        raise Refused(
            "failed", f"its disk would not take the state that is kept there: {problem}"
        ) from problem
