"""A client whose state lies on its disk: the same digests, and what becomes of a bad disk."""

from __future__ import annotations

import dataclasses
import errno
import os

import pytest

from baffle.errors import DecodeError, Refused
from baffle.fleet import FolderStore, Kept
from baffle.fleet.room import OnDisk
from baffle.fleet.store import STATE, TAIL
from baffle.ledger import snapshot
from baffle.ledger.stored import StoredSlot
from baffle.protocol.exchange import Ask, decode_ask
from tests.fleet.world import snapshot_parts
from tests.powercut import Disk, hasty  # noqa: F401 (a fixture)
from tools.fuzz.draws import Draws
from tools.fuzz.history import make

ROUNDS = 5


@pytest.fixture(scope="module")
def history():
    return make(Draws(7), ROUNDS)


def ask_of(history, round=0):
    """Return an ask with a state of the run, and its chunk."""
    first, *chunks = snapshot_parts(history.replica(round), Ask(history.genesis.run, 0))
    return decode_ask(first), chunks


def begun(folder, history, round=0):
    """Return a store on disk, and the copy that came as a state."""
    store = FolderStore(folder, on_disk=True)
    copy = store.begin(history.genesis).catch_up(*ask_of(history, round))
    store.save(copy, Kept(b"data", 17))
    return store, copy


def follow(store, copy, rows):
    for row in rows:
        copy = copy.catch_up(Ask(copy.genesis.run, 0, tail=(row,)), ())
        store.save(copy, Kept(b"data", 17), (row,))
        yield copy


def test_every_round_has_the_digest_that_it_has_in_memory(tmp_path, history):
    store, first = begun(tmp_path, history)
    path = tmp_path / history.genesis.run.hex() / STATE
    for round, copy in enumerate(follow(store, first, history.rows), start=1):
        assert copy.digest == copy.hashed().digest == history.digests[round]
        assert path.read_bytes() == snapshot.encode(history.states[round])
        assert isinstance(copy.state.weights, StoredSlot)
        found, facts = FolderStore(tmp_path, on_disk=True).load(history.genesis.run)
        assert (found.holding, facts) == (copy.holding, Kept(b"data", 17))


def test_either_kind_of_store_goes_on_from_what_the_other_left(tmp_path, history):
    """An operator may set or take back a bound on memory between two starts."""
    run, on_disk = history.genesis.run, True
    begun(tmp_path, history)
    for round, row in enumerate(history.rows, start=1):
        store = FolderStore(tmp_path, on_disk=on_disk)
        (copy,) = follow(store, store.load(run)[0], [row])
        assert copy.digest == history.digests[round]
        assert (tmp_path / run.hex() / TAIL).exists() is not on_disk
        on_disk = not on_disk


def test_a_state_before_stays_what_it_was(tmp_path, history):
    store, copy = begun(tmp_path, history)
    copies = [copy, *follow(store, copy, history.rows)]
    assert [c.hashed().digest for c in copies] == [history.digests[n] for n in range(ROUNDS + 1)]


def test_a_state_that_is_not_taken_leaves_the_file_alone(tmp_path, history):
    _, copy = begun(tmp_path, history, round=2)
    path = tmp_path / history.genesis.run.hex() / STATE
    before = path.read_bytes()
    ask, (data,) = ask_of(history)
    wrong = [
        (dataclasses.replace(ask.snapshot, round=1), [data]),
        (ask.snapshot, [data[:-1]]),
        (ask.snapshot, [data, b"more"]),
        (ask.snapshot, [data[:-1] + b"\0"]),
        (ask.snapshot, [data[:9], data[9:]]),
        (dataclasses.replace(ask.snapshot, size=4), [data]),
    ]
    for header, chunks in wrong:
        with pytest.raises(DecodeError, match="snapshot of round"):
            copy.catch_up(dataclasses.replace(ask, snapshot=header), chunks)
        assert path.read_bytes() == before
        assert sorted(p.name for p in path.parent.iterdir()) == [
            "client.json", "genesis.json", STATE,
        ]  # fmt: skip
    assert copy.hashed() is copy


def test_a_full_disk_refuses_the_round_and_keeps_the_state(tmp_path, history, monkeypatch):
    _, copy = begun(tmp_path, history)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("baffle.ledger.stored.write", full)
        patched.setattr("baffle.fleet.room._write", full)
        for ask, chunks in ((Ask(copy.genesis.run, 0, tail=history.rows), ()), ask_of(history, 3)):
            with pytest.raises(Refused, match=r"would not take the state .*No space left") as found:
                copy.catch_up(ask, chunks)
            assert found.value.reason == "failed"
    assert copy.hashed() is copy
    after = copy.catch_up(Ask(copy.genesis.run, 0, tail=history.rows), ())
    assert after.digest == history.digests[ROUNDS]


def test_a_file_that_lost_its_end_is_asked_for_again(tmp_path, history):
    _, copy = begun(tmp_path, history)
    path = tmp_path / history.genesis.run.hex() / STATE
    os.truncate(path, path.stat().st_size - 1)
    assert copy.hashed().digest == bytes(32)  # which is no state of the run's
    with pytest.raises(Refused, match="of no use any more") as found:
        copy.catch_up(Ask(copy.genesis.run, 0, tail=history.rows), ())
    assert found.value.reason == "behind"
    assert copy.catch_up(*ask_of(history, 3)).hashed().digest == history.digests[3]


@pytest.mark.usefixtures("hasty")
def test_a_power_cut_leaves_a_state_of_the_run_or_none(tmp_path, history):
    (tmp_path / "life").mkdir()
    with Disk(tmp_path / "life") as disk:
        store, copy = begun(tmp_path / "life", history)
        assert [c.state.round for c in follow(store, copy, history.rows[:3])] == [1, 2, 3]
    stood = set()
    for number, cut in enumerate(disk.cuts()):
        folder = cut.restore(tmp_path / "left" / str(number))
        found = FolderStore(folder, on_disk=True).load(history.genesis.run)
        if found is None or found[0].state is None:
            stood.add(None)
            continue
        copy = found[0]
        assert copy.hashed().digest == history.digests[copy.state.round], cut.how
        after = copy.catch_up(Ask(copy.genesis.run, 0, tail=history.rows), ())
        assert after.digest == history.digests[ROUNDS], cut.how
        stood.add(copy.state.round)
    assert {None, 0, 3} <= stood


def test_a_room_is_one_file(tmp_path, history):
    room = OnDisk(tmp_path / STATE)
    ask, chunks = ask_of(history, 1)
    state, digest = room.loaded(ask.snapshot, chunks, history.replica(0).form)
    assert (state.round, digest) == (1, history.digests[1])
    assert [p.name for p in tmp_path.iterdir()] == [STATE]
