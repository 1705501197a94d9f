"""A state left in its file: the same as in memory, and read when it is looked at."""

import dataclasses
import gc
import os
from pathlib import Path

import numpy as np
import pytest

from baffle.errors import LedgerError
from baffle.ledger import snapshot, stored
from baffle.protocol.in_parts import Part
from baffle.updates.some import ReadByEntry
from baffle.updates.state import TrainState


def a_state(seed=0, round_=3):
    rng = np.random.default_rng(seed)
    shapes = {"a": (3, 4), "b": (5,), "s": ()}
    slots = {
        slot: {n: np.asarray(rng.standard_normal(s), np.float32) for n, s in shapes.items()}
        for slot in ("weights", "ema")
    }
    return TrainState(round_, slots, round_ - 1)


def by_tensor(state):
    for name in state.weights:
        slots = {slot: {name: arrays[name]} for slot, arrays in state.slots.items()}
        yield Part(TrainState(state.round, slots, state.updates))


def by_entry(state):
    for part in by_tensor(state):
        for at in range(next(iter(part.state.weights.values())).size):
            slots = {
                slot: {name: a.reshape(-1)[at : at + 1] for name, a in arrays.items()}
                for slot, arrays in part.state.slots.items()
            }
            yield Part(dataclasses.replace(state, slots=slots), at)


def open_files():
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("cut", [by_tensor, by_entry])
def test_parts_make_the_file_of_the_whole(tmp_path, cut):
    state, path = a_state(), tmp_path / "state.safetensors"
    found, digest = stored.write(path, state, cut(state))
    assert path.read_bytes() == snapshot.encode(state)
    assert digest == state.digest() == found.digest()
    assert (found.round, found.updates) == (state.round, state.updates)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_is_read_as_its_bytes_are_decoded(tmp_path):
    state, path = a_state(), tmp_path / "state.safetensors"
    path.write_bytes(snapshot.encode(state))
    found, digest = stored.read(path, a_state(1))
    assert digest == found.digest() == state.digest()
    for slot, arrays in state.slots.items():
        assert list(found.slots[slot]) == sorted(arrays)
        for name, array in found.slots[slot].items():
            assert array.shape == arrays[name].shape
            assert array.tobytes() == arrays[name].tobytes()
            assert not array.flags.writeable
            assert isinstance(found.slots[slot], ReadByEntry)
        few = found.slots[slot].entries("a", 1, 3)
        assert few.tobytes() == arrays["a"].tobytes()[4:12]


def test_what_is_no_such_state_is_refused_as_its_bytes_are(tmp_path):
    like, path = a_state(), tmp_path / "state.safetensors"
    whole = snapshot.encode(like)
    damaged = [b"", whole[:7], whole[:-1], whole + b"\0"]
    damaged += [
        whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :] for at in range(0, len(whole), 3)
    ]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"expected|snapshot"):
            stored.read(path, like)
        with pytest.raises(ValueError, match=r"expected|snapshot"):
            snapshot.decode(data, like)


def test_a_state_outlives_its_name(tmp_path):
    path, states = tmp_path / "state.safetensors", [a_state(seed) for seed in range(3)]
    held = [stored.write(path, state, by_tensor(state))[0] for state in states]
    assert [h.digest() for h in held] == [s.digest() for s in states]
    assert path.read_bytes() == snapshot.encode(states[-1])


def test_its_file_is_closed_when_nobody_holds_it(tmp_path):
    state, path = a_state(), tmp_path / "state.safetensors"
    before = open_files()
    found, _ = stored.write(path, state, by_tensor(state))
    slot = found.weights
    assert open_files() == before + 1
    del found, slot
    assert open_files() == before


def test_half_a_state_changes_nothing(tmp_path):
    state, path = a_state(), tmp_path / "state.safetensors"
    stored.write(path, state, by_tensor(state))
    for parts in ([], list(by_tensor(a_state(1)))[:2]):
        with pytest.raises(LedgerError, match="expected a whole state in parts"):
            stored.write(path, state, parts)
        assert path.read_bytes() == snapshot.encode(state)


def test_a_file_that_lost_its_end_is_named(tmp_path):
    state, path = a_state(), tmp_path / "state.safetensors"
    found, _ = stored.write(path, state, by_tensor(state))
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(LedgerError, match="ends within the tensor weights/s"):
        found.digest()
