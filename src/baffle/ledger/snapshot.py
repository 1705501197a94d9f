"""Snapshots: a TrainState as a safetensors file with the keys "slot/name".

The writer is our own twenty lines: equal states give equal bytes, so that writing again after a
crash is harmless, and arrays are hashed on their way to the disk without a second copy in memory.
The same bytes go over a network; `decode` takes them only in the one form that a run's state has.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baffle.errors import LedgerError
from baffle.ledger import header
from baffle.ledger.durable import make_folder, publish
from baffle.ledger.header import SNAPSHOT_FORMAT, Header
from baffle.updates.state import TrainState

FOLDER = "snapshots"

Tensors = Mapping[str, NDArray[np.float32]]


def file_name(round: int) -> str:
    """Return the name of a round's snapshot file.

    Example:
        >>> file_name(100)
        '00000100.safetensors'
    """
    return f"{round:08d}.safetensors"


def write(folder: Path, state: TrainState) -> bytes:
    """Write a state durably, under a temporary name until it is whole.

    Args:
        folder: where snapshots lie; made if missing.
        state: what to write.

    Returns:
        SHA-256 of the file, 32 bytes.

    Raises:
        LedgerError: a slot is empty, or its name holds a slash, or the counts are out of range.
        OSError: the disk would not take it; the temporary file is gone again.
    """
    tensors = _tensors(state)
    make_folder(folder)
    final = folder / file_name(state.round)
    unfinished = final.with_suffix(".safetensors.tmp")
    try:
        sha256 = _write_file(unfinished, _header_of(state), tensors)
        publish(unfinished, final)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return sha256


def _tensors(state: TrainState) -> Tensors:
    for slot, arrays in state.slots.items():
        if "/" in slot or not arrays:
            raise LedgerError(f"a snapshot cannot hold the slot {slot!r}: it is empty or has a '/'")
    return {
        f"{slot}/{name}": np.asarray(array, dtype="<f4", order="C")
        for slot, arrays in sorted(state.slots.items())
        for name, array in sorted(arrays.items())
    }


def encode(state: TrainState) -> bytes:
    """Return a state as the bytes of its snapshot file.

    Raises:
        LedgerError: as `write`.
    """
    tensors = _tensors(state)
    return b"".join((_header_of(state), *map(_bytes, tensors.values())))


def size(state: TrainState) -> int:
    """Return the bytes that `encode` would make, without hashing or copying the state."""
    no_digest = "0" * header.DIGEST_DIGITS
    return Header(state.round, state.updates, no_digest, header.shapes_of(state)).size


def decode(data: bytes, like: TrainState) -> tuple[TrainState, bytes]:
    """Return the state that a snapshot's bytes hold, and its digest: the one that they say.

    Args:
        data: bytes that nobody vouches for.
        like: a state of the same run: slots, names and shapes are known before a byte is read.

    Raises:
        ValueError: anything but the bytes of a snapshot of such a state.
    """
    shapes = header.shapes_of(like)
    found = header.decode(lambda count: data[:count], len(data), shapes)
    state = TrainState(found.round, _slots(data, found), found.updates)
    return state, verified(state, found)


def verified(state: TrainState, said: Header) -> bytes:
    """Return a state's digest.

    Raises:
        ValueError: it is not the one that its snapshot's header says.
    """
    digest = state.digest()
    if digest.hex() != said.digest:
        raise ValueError("a snapshot's numbers are not those that its header has the digest of")
    return digest


def _slots(data: bytes, said: Header) -> dict[str, dict[str, NDArray[np.float32]]]:
    slots: dict[str, dict[str, NDArray[np.float32]]] = {}
    for key, start in said.starts.items():
        slot, _, name = key.partition("/")
        shape = said.shapes[key]
        found = np.frombuffer(data, dtype="<f4", count=math.prod(shape), offset=start)
        slots.setdefault(slot, {})[name] = found.reshape(shape)
    return slots


def _header_of(state: TrainState) -> bytes:
    shapes = header.shapes_of(state)
    return Header(state.round, state.updates, state.digest().hex(), shapes).data


def _bytes(array: NDArray[np.float32]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _write_file(path: Path, head: bytes, tensors: Tensors) -> bytes:
    found = hashlib.sha256()
    parts: list[bytes | memoryview] = [head, *map(_bytes, tensors.values())]
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            found.update(part)
        file.flush()
        os.fsync(file.fileno())
    return found.digest()


def read(path: Path, sha256: bytes, round: int, digest: bytes) -> TrainState:
    """Read a state and check it.

    Args:
        path: the file.
        sha256: SHA-256 that the file must have, 32 bytes.
        round: round that the state must be of.
        digest: digest that the state must have, 32 bytes.

    Raises:
        ValueError: the file is missing, unreadable, or not the one described; says which.
    """
    from safetensors import SafetensorError  # a client that only decodes has no use for it

    require_file(path, sha256)
    try:
        state = _state(path, round)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if state.digest() != digest:
        raise ValueError(f"{path.name} holds another state than the one recorded")
    return state


def require_file(path: Path, sha256: bytes) -> None:
    """Raise ValueError unless the file is there and has this SHA-256."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if found != sha256:
        raise ValueError(f"{path.name} differs from what was written")


def _state(path: Path, round: int) -> TrainState:
    from safetensors import safe_open

    slots: dict[str, dict[str, NDArray[np.float32]]] = {}
    with safe_open(path, framework="numpy") as file:
        about = file.metadata() or {}
        if about.get("format") != SNAPSHOT_FORMAT:
            raise ValueError(f"{path.name} is not of snapshot format {SNAPSHOT_FORMAT}")
        for key in file.keys():  # noqa: SIM118 (no mapping)
            slot, _, name = key.partition("/")
            if file.get_slice(key).get_dtype() != "F32":
                raise ValueError(f"{path.name} holds other numbers than float32")
            slots.setdefault(slot, {})[name] = file.get_tensor(key)
    return TrainState(round, slots, header.count(about.get("updates", ""), "updates"))
