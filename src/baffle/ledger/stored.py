"""A state that stays in its snapshot file: a tensor is read when somebody looks at it.

What is held in memory is what somebody holds, whatever the state's size and the slots of its
optimiser. The file is open as long as the state is there, so that another one may take its name.
It is written once and never changed.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.errors import LedgerError
from baffle.ledger import header, snapshot
from baffle.ledger.header import Header, Shapes
from baffle.protocol.in_parts import Part
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
        return self.entries(key, 0, math.prod(shape)).reshape(shape)

    def entries(self, key: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return a tensor's entries start to stop, flat."""
        self._file.seek(self._starts[key] + 4 * start)
        found = np.fromfile(self._file, "<f4", stop - start)
        if len(found) != stop - start:
            raise LedgerError(f"{self._name} ends within the tensor {key}")
        found.flags.writeable = False
        return found


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

    def entries(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return a tensor's entries start to stop, flat, without the others.

        Raises:
            LedgerError: as for a whole tensor.
        """
        return self._tensors.entries(self._keys[name], start, stop)

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


def write(path: Path, like: TrainState, parts: Iterable[Part]) -> tuple[TrainState, bytes]:
    """Write a state that comes in parts, and leave it there.

    What had the name before keeps it until all of it is written, and stays readable for those who
    hold it.

    Args:
        path: of the file.
        like: a state of the same run, for its form.
        parts: of one state. None is kept.

    Returns:
        The state, and its digest.

    Raises:
        LedgerError: the parts are not one whole state.
        OSError: the disk would not take it; what was at `path` is there as before.
    """
    unfinished = path.with_suffix(UNFINISHED)
    said = _write_parts(unfinished, header.shapes_of(like), parts)
    state = _state(unfinished, said)
    digest = state.digest()
    with unfinished.open("r+b") as file:
        file.write(replace(said, digest=digest.hex()).data)
    unfinished.replace(path)
    return state, digest


def _write_parts(path: Path, shapes: Shapes, parts: Iterable[Part]) -> Header:
    """Write a state's tensors where they belong; the header has no digest yet."""
    said: Header | None = None
    left = {key: math.prod(shape) for key, shape in shapes.items()}
    with path.open("wb") as file:
        for part in parts:
            if said is None:
                said = Header(
                    part.state.round, part.state.updates, "0" * header.DIGEST_DIGITS, shapes
                )
                starts = said.starts
            for key, array in _keyed(part.state):
                file.seek(starts[key] + 4 * part.first)
                file.write(np.ascontiguousarray(array, dtype="<f4").reshape(-1).view(np.uint8).data)
                left[key] -= array.size
    missing = [key for key, count in left.items() if count]
    if said is None or missing:
        raise LedgerError(f"expected a whole state in parts, which differ at {missing[:4]}")
    return said


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
