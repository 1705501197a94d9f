"""What a client keeps on its disk: damaged or missing, it comes from the server again."""

import logging
import os

import pytest

from baffle.fleet import FolderStore, Kept, Replica
from baffle.fleet.store import FACTS, GENESIS, RUNS, STATE
from baffle.protocol import Rules
from tests.fleet.world import SIGNATURE, first_state, genesis, settings_of


def a_replica(key=0):
    settings = settings_of(key=key)
    state = first_state(settings)
    spec = genesis(settings, SIGNATURE, state.digest())
    assert Rules.of(spec).signature == SIGNATURE
    return Replica(spec, state, state.digest())


@pytest.fixture
def kept(tmp_path):
    """A store that keeps a state, and its folder."""
    copy, store = a_replica(), FolderStore(tmp_path)
    store.begin(copy.genesis)
    store.save(copy, Kept(b"data", 17))
    return copy, tmp_path / copy.genesis.run.hex()


def load(folder, copy):
    return FolderStore(folder.parent).load(copy.genesis.run)


def test_what_was_saved_is_there_for_the_next_process(kept):
    copy, folder = kept
    found, facts = load(folder, copy)
    assert (found.digest, found.state.digest()) == (copy.digest, copy.digest)
    assert facts == Kept(b"data", 17)


def test_an_answer_stays_in_its_process(kept):
    copy, folder = kept
    FolderStore(folder.parent).save(copy, Kept(b"data", 17, b"key", object()))
    assert load(folder, copy)[1] == Kept(b"data", 17)


def test_a_run_that_was_begun_holds_nothing_yet(tmp_path):
    copy, store = a_replica(), FolderStore(tmp_path)
    assert store.load(copy.genesis.run) is None
    store.begin(copy.genesis)
    found, facts = store.load(copy.genesis.run)
    assert (found.state, found.holding, facts) == (None, None, Kept())


def damages(data):
    yield b""
    yield data[:-1]
    yield data + b"\0"
    for at in range(0, len(data), 41):
        yield data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


def test_a_damaged_state_counts_as_none(kept, caplog):
    copy, folder = kept
    whole = (folder / STATE).read_bytes()
    with caplog.at_level(logging.WARNING):
        for data in damages(whole):
            (folder / STATE).write_bytes(data)
            found, facts = load(folder, copy)
            assert found.state is None
            assert facts == Kept(b"data", 17)
    assert "a new state will be asked for" in caplog.text


def test_a_damaged_genesis_counts_as_no_run(kept):
    copy, folder = kept
    whole = (folder / GENESIS).read_bytes()
    for data in damages(whole):
        (folder / GENESIS).write_bytes(data)
        assert load(folder, copy) is None
    (folder / GENESIS).write_bytes(a_replica(key=1).genesis.to_bytes())
    assert load(folder, copy) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"data": 1, "microseconds": 2}', '{"data": "zz", "microseconds": 0}']
)
def test_damaged_facts_count_as_none(kept, text):
    copy, folder = kept
    (folder / FACTS).write_text(text)
    found, facts = load(folder, copy)
    assert found.digest == copy.digest
    assert facts == Kept()


def test_a_disk_that_takes_nothing_is_reported_and_raises_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    store, copy = FolderStore(tmp_path / "file"), a_replica()
    with caplog.at_level(logging.WARNING):
        store.begin(copy.genesis)
        store.save(copy, Kept())
    assert caplog.text.count("could not be written") == 2
    assert store.load(copy.genesis.run) is None


def test_only_the_newest_runs_are_kept(tmp_path):
    store, copies = FolderStore(tmp_path), [a_replica(key=k) for k in range(RUNS + 2)]
    for copy in copies:
        store.begin(copy.genesis)
    assert len(list(tmp_path.glob("*/genesis.json"))) == RUNS
    assert store.load(copies[0].genesis.run) is None
    assert store.load(copies[-1].genesis.run) is not None


def test_a_servers_key_outlives_the_state_of_its_run(tmp_path):
    store, copies = FolderStore(tmp_path), [a_replica(key=k) for k in range(RUNS + 2)]
    for copy in copies:
        store.begin(copy.genesis)
        store.keep_key(copy.genesis.run, bytes(32))
    assert store.load(copies[0].genesis.run) is None
    assert store.key(copies[0].genesis.run) == bytes(32)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_counts_as_none(tmp_path, size):
    store, copy = FolderStore(tmp_path), a_replica(key=0)
    store.begin(copy.genesis)
    (tmp_path / copy.genesis.run.hex() / "server.key").write_bytes(bytes(size))
    assert store.key(copy.genesis.run) is None


def test_a_wallet_is_kept_for_its_owner_alone_and_outlives_its_run(tmp_path):
    """Were it forgotten, a server could name new runs until it is, and ask for a round again."""
    store, runs = FolderStore(tmp_path), []
    for key in range(RUNS + 2):
        genesis = a_replica(key=key).genesis
        assert store.wallet(genesis.run) is None
        store.begin(genesis)
        os.utime(tmp_path / genesis.run.hex() / GENESIS, (key, key))
        store.keep_wallet(genesis.run, b"first")
        store.keep_wallet(genesis.run, b"wallet")
        assert FolderStore(tmp_path).wallet(genesis.run) == b"wallet"
        assert (tmp_path / genesis.run.hex() / "wallet").stat().st_mode & 0o777 == 0o600
        runs.append(genesis.run)
    assert len(list(tmp_path.glob("*/genesis.json"))) == RUNS
    assert [store.wallet(run) for run in runs] == [b"wallet"] * (RUNS + 2)


def test_a_wallet_that_the_disk_does_not_take_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        FolderStore(tmp_path / "file").keep_wallet(bytes(16), b"wallet")
