"""Snapshots: a TrainState as a safetensors file with the keys "slot/name".

The writer is our own twenty lines: equal states give equal bytes, so that writing again after a
crash is harmless, and arrays are hashed on their way to the disk without a second copy in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from baffle.errors import LedgerError
from baffle.ledger.chain import MAX_ROUND
from baffle.ledger.durable import publish
from baffle.updates.state import TrainState

FOLDER = "snapshots"
SNAPSHOT_FORMAT = "1"

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
    folder.mkdir(exist_ok=True)
    final = folder / file_name(state.round)
    unfinished = final.with_suffix(".safetensors.tmp")
    try:
        sha256 = _write_file(unfinished, _header(state, tensors), tensors)
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


def _header(state: TrainState, tensors: Tensors) -> bytes:
    about = {
        "format": SNAPSHOT_FORMAT,
        "round": str(state.round),
        "updates": str(state.updates),
        "digest": state.digest().hex(),
    }
    entries: dict[str, Any] = {"__metadata__": about}
    end = 0
    for key, array in tensors.items():
        start, end = end, end + array.nbytes
        entries[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors start on a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text


def _bytes(array: NDArray[np.float32]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _write_file(path: Path, header: bytes, tensors: Tensors) -> bytes:
    found = hashlib.sha256()
    parts: list[bytes | memoryview] = [header, *map(_bytes, tensors.values())]
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
    return TrainState(round, slots, _updates(path, about))


def _updates(path: Path, about: Mapping[str, str]) -> int:
    text = about.get("updates", "")
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_ROUND):
        raise ValueError(f"{path.name} says no number of updates")
    return int(text)
