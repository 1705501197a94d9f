"""A state that stays in its snapshot file: a tensor is read when somebody looks at it.

What is held in memory is what somebody holds, whatever the state's size and the slots of its
optimiser. The file is open as long as the state is there, so that another one may take its name.
It is written once and never changed.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.errors import LedgerError
from baffle.ledger import header, snapshot
from baffle.ledger.header import Header, Shapes
from baffle.updates import TrainState

UNFINISHED = ".new"


class _Tensors:
    """The tensors of a snapshot file, by key."""

    def __init__(self, path: Path, said: Header) -> None:
        self._name, self._starts, self._shapes = path.name, said.starts, said.shapes
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)

    def read(self, key: str) -> NDArray[np.float32]:
        """Return a tensor, a read-only array of the caller's."""
        shape = self._shapes[key]
        self._file.seek(self._starts[key])
        found = np.fromfile(self._file, "<f4", math.prod(shape))
        if len(found) != math.prod(shape):
            raise LedgerError(f"{self._name} ends before the tensor {key}")
        found.flags.writeable = False
        return found.reshape(shape)


class StoredSlot(Mapping[str, NDArray[np.float32]]):
    """A slot's tensors, each read when it is asked for."""

    def __init__(self, tensors: _Tensors, keys: Mapping[str, str]) -> None:
        self._tensors, self._keys = tensors, keys

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Return a tensor.

        Raises:
            LedgerError: the file has lost its end.
        """
        return self._tensors.read(self._keys[name])

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._keys)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._keys)


def read(path: Path, like: TrainState) -> tuple[TrainState, bytes]:
    """Return the state that a file holds, left there, and its digest.

    Args:
        path: of a file that nobody vouches for.
        like: a state of the same run, as for `snapshot.decode`.

    Raises:
        ValueError: anything but a snapshot of such a state.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:

        def first(count: int) -> bytes:
            file.seek(0)
            return file.read(count)

        said = header.decode(first, path.stat().st_size, header.shapes_of(like))
    state = _state(path, said)
    return state, snapshot.verified(state, said)


def write(path: Path, like: TrainState, parts: Iterable[TrainState]) -> tuple[TrainState, bytes]:
    """Write a state that comes in parts, and leave it there.

    What had the name before keeps it until all of it is written, and stays readable for those who
    hold it.

    Args:
        path: of the file.
        like: a state of the same run, for its form.
        parts: of one state; each has all slots of some tensors. None is kept.

    Returns:
        The state, and its digest.

    Raises:
        LedgerError: the parts are not one whole state.
        OSError: the disk would not take it; what was at `path` is there as before.
    """
    unfinished = path.with_suffix(UNFINISHED)
    shapes, no_digest = header.shapes_of(like), "0" * header.DIGEST_DIGITS
    with unfinished.open("wb") as file:
        said: Header | None = None
        left = set(shapes)
        for part in parts:
            said = said or Header(part.round, part.updates, no_digest, shapes)
            starts = said.starts
            for key, array in _keyed(part):
                file.seek(starts[key])
                file.write(np.ascontiguousarray(array, dtype="<f4").reshape(-1).view(np.uint8).data)
                left.discard(key)
        if said is None or left:
            raise LedgerError(f"expected all tensors of a state, got none for {sorted(left)[:4]}")
    state = _state(unfinished, said)
    digest = state.digest()
    with unfinished.open("r+b") as file:
        file.write(Header(said.round, said.updates, digest.hex(), shapes).data)
    unfinished.replace(path)
    return state, digest


def _keyed(state: TrainState) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for slot, tensors in state.slots.items():
        for name in tensors:
            yield f"{slot}/{name}", tensors[name]


def _state(path: Path, said: Header) -> TrainState:
    tensors = _Tensors(path, said)
    keys: dict[str, dict[str, str]] = {}
    for key in said.shapes:
        slot, _, name = key.partition("/")
        keys.setdefault(slot, {})[name] = key
    slots = {slot: StoredSlot(tensors, names) for slot, names in keys.items()}
    return TrainState(said.round, slots, said.updates)


__all__ = ["Shapes", "StoredSlot", "read", "write"]
