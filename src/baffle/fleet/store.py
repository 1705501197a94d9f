"""What a client keeps between processes: genesis, state, and a few facts, by run.

    <folder>/<run>/genesis.json         as it came
    <folder>/<run>/state.safetensors    a state, in the snapshot format
    <folder>/<run>/tail.bin             the rounds since then; see `tail`. None where the state
                                        itself lies on the disk, and not in memory (`room`)
    <folder>/<run>/client.json          hash of its data, how long a round takes to rebuild
    <folder>/<run>/server.key           public key that the run's asks come under
    <folder>/<run>/wallet               keys and session of its secure sums, for its eyes only

What is damaged or missing comes from the server again, so it is written aside and renamed, and
checked when it is read. Key and wallet alone have to survive a power cut, and a wallet must never
be taken back from a copy: it would share out again what it shared already.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from baffle.errors import BaffleError, ProtocolError
from baffle.fleet.replica import Replica
from baffle.fleet.room import MEMORY, Held, OnDisk
from baffle.fleet.tail import TailFile
from baffle.ledger import durable, snapshot, stored
from baffle.protocol import Genesis
from baffle.protocol.exchange import Answer, TailRow
from baffle.protocol.exchange.signed import KEY_BYTES
from baffle.protocol.in_parts import Part
from baffle.updates import TrainState

GENESIS, STATE, FACTS = "genesis.json", "state.safetensors", "client.json"
TAIL, SERVER_KEY, WALLET = "tail.bin", "server.key", "wallet"
MOST_ROWS, MOST_SECONDS = 64, 2.0
RUNS = 4  # runs whose state is kept, the newest
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """Facts that go with a copy.

    Args:
        data: fingerprint of the data that it last answered with; empty before.
        microseconds: that a round takes to rebuild; 0 before it was measured.
        answered, answer: hash of the last plan and what was answered, in this process only.
    """

    data: bytes = b""
    microseconds: int = 0
    answered: bytes = b""
    answer: Answer | None = None


def most_rows(microseconds: int) -> int:
    """Return how many rounds may lie behind a stored state, if each takes so long to rebuild.

    Example:
        >>> most_rows(0), most_rows(100_000), most_rows(10_000_000)
        (64, 20, 1)
    """
    return max(1, min(MOST_ROWS, int(MOST_SECONDS * 1e6 / max(1, microseconds))))


class Store(Protocol):
    """Where a client keeps its copies of runs."""

    def begin(self, genesis: Genesis) -> Replica:
        """Make room for a run; return its copy, which holds nothing yet."""
        ...

    def load(self, run: bytes) -> tuple[Replica, Kept] | None:
        """Return what is kept of a run, None if there is nothing usable."""
        ...

    def save(self, replica: Replica, kept: Kept, rows: Sequence[TailRow] = ()) -> None:
        """Keep a copy.

        Args:
            replica, kept: what to keep.
            rows: the rounds that lead to it from what was saved before; empty if none do.
        """
        ...

    def wallet(self, run: bytes) -> bytes | None:
        """Return a run's wallet, None if there is none."""
        ...

    def keep_wallet(self, run: bytes, wallet: bytes) -> None:
        """Keep a run's wallet, durably.

        Raises:
            OSError: it is not kept.
        """
        ...


class FolderStore:
    """A store on disk. A full disk costs a later snapshot, nothing else.

    A state is written when it came as a whole, and else so seldom that reading the rounds behind it
    takes a moment: a model of 160 MB is not written again for a round of half a kilobyte.

    Args:
        folder: the client's own; made if missing.
        on_disk: whether a state is left there and read tensor by tensor; then a full disk costs
            rounds, and a state is written each round.
    """

    def __init__(self, folder: Path, on_disk: bool = False) -> None:
        self._folder, self._on_disk = folder, on_disk
        self._behind: dict[bytes, int] = {}  # rounds in each run's tail that we know of

    def begin(self, genesis: Genesis) -> Replica:
        """Make room for a run, and forget all but the newest others; return its empty copy."""
        with _reported(self._folder):
            durable.make_folder(self._of(genesis.run))
            self._write(self._of(genesis.run) / GENESIS, genesis.to_bytes())
            self._forget()
        return self._empty(genesis)

    def _empty(self, genesis: Genesis) -> Replica:
        room = OnDisk(self._of(genesis.run) / STATE) if self._on_disk else MEMORY
        return Replica(genesis, room=room)

    def _forget(self) -> None:
        """Delete the states of all but the newest runs.

        The keys of their servers stay, and so do the wallets: a client that forgot whose round it
        has masked would mask it again in other company, and the difference would be its own vector.
        """
        runs = [f for f in self._folder.iterdir() if (f / GENESIS).is_file()]
        runs.sort(key=lambda f: (f / GENESIS).stat().st_mtime, reverse=True)
        for old in runs[RUNS:]:
            for name in (GENESIS, STATE, TAIL, FACTS):
                (old / name).unlink(missing_ok=True)

    def load(self, run: bytes) -> tuple[Replica, Kept] | None:
        """Return what is kept of a run; what is damaged counts as missing."""
        folder = self._of(run)
        try:
            genesis = Genesis.from_bytes((folder / GENESIS).read_bytes())
        except (OSError, BaffleError):
            return None
        if genesis.run != run:
            return None
        return self._followed(folder, self._state(folder, self._empty(genesis))), _facts(folder)

    def _state(self, folder: Path, empty: Replica) -> Replica:
        try:
            state, digest = self._read(folder / STATE, empty.form)
        except FileNotFoundError:
            return empty
        except (OSError, ValueError) as problem:
            logger.warning("%s is of no use, a new state will be asked for: %s", folder, problem)
            return empty
        return replace(empty, state=state, digest=digest)

    def _read(self, path: Path, like: TrainState) -> Held:
        if self._on_disk:
            return stored.read(path, like)
        return snapshot.decode(path.read_bytes(), like)

    def _followed(self, folder: Path, copy: Replica) -> Replica:
        """Return a copy after the rounds that lie behind its state."""
        count = 0
        try:
            for row in TailFile(folder / TAIL).rows() if copy.state else ():
                copy, count = copy.followed(row), count + 1
        except (ProtocolError, OSError) as problem:
            logger.warning("%s: later rounds will be asked for: %s", folder, problem)
            count = MOST_ROWS  # the next save writes a state
        self._behind[copy.genesis.run] = count
        return copy

    def save(self, replica: Replica, kept: Kept, rows: Sequence[TailRow] = ()) -> None:
        """Keep a copy: the rounds that led to it, or the state."""
        folder = self._of(replica.genesis.run)
        facts = {"data": kept.data.hex(), "microseconds": kept.microseconds}
        with _reported(folder):
            durable.make_folder(folder)
            if replica.state is not None:
                self._keep(folder, replica, kept, rows)
            self._write(folder / FACTS, json.dumps(facts).encode())
            (folder / GENESIS).touch()  # the run at hand is the newest

    def _keep(self, folder: Path, copy: Replica, kept: Kept, rows: Sequence[TailRow]) -> None:
        run, tail = copy.genesis.run, TailFile(folder / TAIL)
        behind = self._behind.get(run, MOST_ROWS) + len(rows)
        if self._on_disk:
            tail.clear()  # its room has written the state
        elif rows and behind <= most_rows(kept.microseconds):
            self._behind[run] = MOST_ROWS  # until they are there
            tail.append(rows)
            self._behind[run] = behind
        else:
            assert copy.state is not None
            stored.write(folder / STATE, copy.state, [Part(copy.state)])
            tail.clear()  # killed before this, its rounds are passed over
            self._behind[run] = 0

    def key(self, run: bytes) -> bytes | None:
        """Return the public key that a run's asks come under, None if the run is new."""
        try:
            found = (self._of(run) / SERVER_KEY).read_bytes()
        except FileNotFoundError:
            return None
        return found if len(found) == KEY_BYTES else None

    def keep_key(self, run: bytes, key: bytes) -> None:
        """Keep the key of a run that the client took up."""
        with _reported(self._of(run)):
            durable.make_folder(self._of(run))
            durable.write(self._of(run) / SERVER_KEY, key)

    def wallet(self, run: bytes) -> bytes | None:
        """Return a run's wallet, None if there is none."""
        try:
            return (self._of(run) / WALLET).read_bytes()
        except FileNotFoundError:
            return None

    def keep_wallet(self, run: bytes, wallet: bytes) -> None:
        """Keep a run's wallet; nobody else may read it.

        Raises:
            OSError: the disk would not take it.
        """
        durable.make_folder(self._of(run))
        durable.write(self._of(run) / WALLET, wallet, mode=0o600)

    def _of(self, run: bytes) -> Path:
        return self._folder / run.hex()

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_bytes(data)
        fresh.replace(path)


class _reported(suppress):  # noqa: N801 (a context manager, like the one it is made of)
    """Log what a disk would not take instead of raising it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(OSError)
        self._where = folder

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        suppressed = super().__exit__(kind, error, trace)
        if suppressed and error is not None:
            logger.warning(
                "%s could not be written, the state stays in memory: %s", self._where, error
            )
        return bool(suppressed)


def _facts(folder: Path) -> Kept:
    try:
        found = json.loads((folder / FACTS).read_bytes())
        return Kept(
            bytes.fromhex(found["data"]), min(max(int(found["microseconds"]), 0), 2**32 - 1)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Kept()
