"""Rounds behind a stored state: as good as the state, and seldom written anew."""

import pytest

from baffle.fleet import FolderStore, Kept, Pace, Replica
from baffle.fleet.store import MOST_ROWS, STATE, TAIL, most_rows
from baffle.protocol.exchange import Ask, encode_ask
from tests.fleet.world import Home, MemoryStore, client_of, settings_of, snapshot_parts

ROUNDS = 9


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A run's copies after each round, and the rounds between them."""
    home = Home(tmp_path_factory.mktemp("run") / "r", settings_of(2, ROUNDS), Pace(gather=0.0))
    peers = {100 + n: client_of(n, MemoryStore()) for n in range(2)}
    coordinator = home.coordinator

    def deliver(messages):
        for m in messages:
            deliver(coordinator.receive(m.node, peers[m.node].handle(m.parts), 0.0))

    deliver(coordinator.see(frozenset(peers), 0.0))
    server = coordinator.server
    copies = [Replica(home.genesis, server.state, server.digest)]
    for _ in range(ROUNDS):
        deliver(coordinator.open(0.0))
        home.store(coordinator.close(0.0))
        coordinator.commit()
        copies.append(Replica(home.genesis, server.state, server.digest))
    rows = coordinator.downlink.rows(0, ROUNDS)
    home.ledger.close()
    return copies, rows


def kept(folder, history, upto, microseconds=0):
    """Save a run's copies as a client does; returns after which rounds a state was written."""
    copies, rows = history
    kept = Kept(microseconds=microseconds)
    store, written = FolderStore(folder), []
    store.begin(copies[0].genesis)
    store.save(copies[0], kept)
    state = folder / copies[0].genesis.run.hex() / STATE
    for number in range(1, upto + 1):
        before = state.stat().st_ino
        store.save(copies[number], kept, rows[number - 1 : number])
        written += [number] * (state.stat().st_ino != before)
    return written


def load(folder, history):
    return FolderStore(folder).load(history[0][0].genesis.run)[0]


@pytest.mark.parametrize("upto", [0, 1, ROUNDS])
def test_the_next_process_holds_what_this_one_held(tmp_path, history, upto):
    assert kept(tmp_path, history, upto) == []
    assert load(tmp_path, history).holding == history[0][upto].holding


def test_where_rounds_are_slow_to_rebuild_states_are_written_more_often(tmp_path, history):
    assert most_rows(600_000) == 3
    assert kept(tmp_path, history, ROUNDS, 600_000) == [4, 8]
    assert load(tmp_path, history).holding == history[0][ROUNDS].holding


def test_a_tail_has_an_end(tmp_path, history):
    copies, rows = history
    store = FolderStore(tmp_path)
    store.begin(copies[0].genesis)
    store.save(copies[0], Kept())
    for _ in range(MOST_ROWS):
        store.save(copies[1], Kept(), rows[:1])
    tail = tmp_path / copies[0].genesis.run.hex() / TAIL
    assert tail.exists()
    store.save(copies[1], Kept(), rows[:1])
    assert not tail.exists()


@pytest.mark.parametrize("cut", [1, 5, 200, 300])
def test_a_tail_that_was_cut_short_is_read_as_far_as_it_is_whole(tmp_path, history, cut):
    kept(tmp_path, history, 4)
    tail = tmp_path / history[0][0].genesis.run.hex() / TAIL
    tail.write_bytes(tail.read_bytes()[:-cut])
    copies, rows = history
    store = FolderStore(tmp_path)
    found, facts = store.load(copies[0].genesis.run)
    assert found.holding in [copy.holding for copy in copies[:4]]
    # And what is saved next is not written behind the broken end.
    held = found.state.round
    store.save(copies[held + 1], facts, rows[held : held + 1])
    assert load(tmp_path, history).holding == copies[held + 1].holding


def test_a_tail_of_something_else_is_left_alone(tmp_path, history):
    kept(tmp_path, history, 3)
    tail = tmp_path / history[0][0].genesis.run.hex() / TAIL
    data = bytearray(tail.read_bytes())
    data[40] ^= 1  # in the first plan's digest
    tail.write_bytes(bytes(data))
    assert load(tmp_path, history).holding == history[0][0].holding


def test_a_client_keeps_rounds_and_not_states(tmp_path, history):
    copies, rows = history
    client = client_of(0, FolderStore(tmp_path))
    run, genesis = copies[0].genesis.run, copies[0].genesis
    client.handle(snapshot_parts(copies[0], Ask(run, 0, genesis=genesis.to_bytes())))
    state = tmp_path / run.hex() / STATE
    before = state.stat().st_ino
    for row in rows:
        client.handle([encode_ask(Ask(run, 0, tail=(row,)))])
    assert state.stat().st_ino == before
    assert load(tmp_path, history).holding == copies[-1].holding
